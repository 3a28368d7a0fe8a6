import type { RequestEvent } from '../service/observer'
import { priorities } from '../service/options'

/** Schemas of JSON by name. */
export type Schemas = Record<string, object>

const option = (schema: object, description: string) => ({ ...schema, description })
const common = {
  window: option(
    {
      oneOf: [
        { enum: ['lung', 'mediastinum'] },
        {
          type: 'object',
          properties: { center: { type: 'number' }, width: { type: 'number' } },
          required: ['center', 'width'],
        },
      ],
    },
    'Of values in HU.',
  ),
  series: option({ type: 'string' }, 'SeriesInstanceUID, of several.'),
  onBadSlice: option({ enum: ['error', 'skip'] }, 'What a slice that cannot be read does.'),
  onGap: option({ enum: ['refuse', 'warn'] }, 'What a series that lacks slices does.'),
  priority: option({ enum: [...priorities] }, 'Default normal.'),
  deadlineMs: option({ type: 'integer', minimum: 1 }, 'After which the request is given up.'),
}
const testTimeAugmentation = {
  type: 'object',
  properties: {
    horizontalFlip: { type: 'boolean' },
    verticalFlip: { type: 'boolean' },
    scales: { type: 'array', items: { type: 'number', minimum: 0.25, maximum: 4 }, minItems: 1, maxItems: 5 },
  },
  description: 'Views of each slice, averaged.',
}
const model = option({ type: 'string' }, 'By its name.')
const fraction = { type: 'number', minimum: 0, maximum: 1 }

const own: Record<RequestEvent['kind'], Schemas> = {
  classify: {
    explain: option({ type: 'boolean' }, 'Activation maps as well.'),
    threshold: fraction,
    testTimeAugmentation,
    model,
  },
  segment: {
    threshold: fraction,
    minAreaPixels: { type: 'integer', minimum: 1 },
    testTimeAugmentation,
    model,
  },
  diagnose: {
    sliceThreshold: {
      oneOf: [
        { type: 'integer', minimum: 0 },
        { type: 'object', properties: { millimetres: { type: 'number' } }, required: ['millimetres'] },
      ],
    },
    explain: option({ type: 'boolean' }, 'Activation maps in the report.'),
    classificationThreshold: fraction,
    minLesionAreaMm2: { type: 'number', minimum: 0 },
    segmentationThreshold: fraction,
    minAreaPixels: { type: 'integer', minimum: 1 },
    classifier: option({ type: ['string', 'null'] }, 'By its name; null for none.'),
    segmenter: model,
    lungs: option({ type: ['string', 'null'] }, 'By its name; null for none.'),
    report: option(
      { type: 'boolean' },
      'A page as well, as the field `report`, or alone where text/html is accepted.',
    ),
  },
}

/** What a caller may set, by what is done, as JSON schemas; the rest is the server's. */
export function requestOptions(kind: RequestEvent['kind']): Schemas {
  return { ...own[kind], ...common }
}
