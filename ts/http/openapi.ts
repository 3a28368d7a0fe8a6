import { errorMeanings } from '../base/errors'
import { version } from '../base/version'
import schemas from './answers.schema.json' // generated from the types: `npm run diagnosis-schema`
import type { RoutesSettings } from './options'
import { requestOptions } from './request-options'

const kinds = ['classify', 'segment', 'diagnose'] as const

const json = (schema: unknown, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })

const answers: Record<string, string> = {
  classify: 'ClassifyAnswer',
  segment: 'SegmentAnswer',
  diagnose: 'DiagnoseAnswer',
}

const summaries: Record<string, string> = {
  classify: 'Whether each slice shows infection',
  segment: 'The lesions of each slice',
  diagnose: 'A case: its slices, its lesions, and how much of the lungs they take',
}

/** What the routes are, as OpenAPI 3.1. */
export function openApi({ authenticate, pacs }: RoutesSettings, prefix: string): object {
  const errors = Object.fromEntries(
    Object.entries({
      400: 'The request is wrong.',
      401: 'Nobody who may ask.',
      413: 'Too many files or bytes.',
      415: 'Neither multipart/form-data nor JSON, or an image in a format that is not read.',
      422: 'Images that cannot be worked on.',
      429: 'So much waits that no more is taken; Retry-After says when to come again.',
      500: 'The server failed.',
      502: 'The archive failed.',
      503: 'The server closes.',
      504: 'Not done by the deadline.',
    }).map(([status, description]) => [status, json(ref('Error'), description)]),
  )
  const work = (kind: string) => ({
    post: {
      summary: summaries[kind],
      operationId: kind,
      ...(authenticate && { security: [{ bearer: [] }] }),
      requestBody: {
        required: true,
        content: {
          'multipart/form-data': {
            schema: {
              type: 'object',
              properties: {
                images: {
                  type: 'array',
                  items: { type: 'string', format: 'binary' },
                  description: 'DICOM, NIfTI, PNG, JPEG or TIFF, by content.',
                },
                options: ref(`${kind}Options`),
              },
              required: ['images'],
            },
            encoding: { options: { contentType: 'application/json' } },
          },
          ...(pacs && {
            'application/json': {
              schema: {
                allOf: [
                  {
                    type: 'object',
                    properties: {
                      study: { type: 'string', description: 'StudyInstanceUID in the archive.' },
                    },
                    required: ['study'],
                  },
                  ref(`${kind}Options`),
                ],
              },
            },
          }),
        },
      },
      responses: {
        200: {
          description:
            'The result; as text/event-stream its progress before it: events `progress`, and one of `result` or `error`.',
          content: {
            'application/json': { schema: ref(answers[kind]!) },
            'text/event-stream': { schema: { type: 'string' } },
            ...(kind === 'diagnose' && { 'text/html': { schema: { type: 'string' } } }),
          },
        },
        ...errors,
      },
    },
  })
  const get = (summary: string, responses: object) => ({ get: { summary, responses } })
  const optionSchemas = kinds.map((kind) => [
    `${kind}Options`,
    { type: 'object', properties: requestOptions(kind) },
  ])
  return {
    openapi: '3.1.0',
    info: {
      title: 'jcs-ct',
      version,
      description: 'Chest CT by JCS. For research and professionals; not a certified medical device.',
    },
    servers: [{ url: prefix === '' ? '/' : prefix }],
    paths: {
      '/v1/classify': work('classify'),
      '/v1/segment': work('segment'),
      '/v1/diagnose': work('diagnose'),
      '/health': get('Whether the process answers', { 200: json({ type: 'object' }, 'It does.') }),
      '/ready': get('Whether it takes requests', {
        200: json(ref('Ready'), 'It does.'),
        503: json(ref('Ready'), 'It closes.'),
      }),
      '/metrics': get('Counters and histograms, for Prometheus', {
        200: { description: 'Text.', content: { 'text/plain': { schema: { type: 'string' } } } },
      }),
    },
    components: {
      ...(authenticate && { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } }),
      schemas: {
        ...schemas,
        ...Object.fromEntries(optionSchemas),
        Error: {
          type: 'object',
          properties: {
            error: {
              type: 'object',
              properties: {
                code: { enum: Object.keys(errorMeanings) },
                message: { type: 'string' },
                requestId: { type: 'string' },
                retryAfterMs: { type: 'integer', minimum: 0 },
              },
              required: ['code', 'message', 'requestId'],
            },
          },
          required: ['error'],
        },
        Ready: {
          type: 'object',
          properties: {
            ready: { type: 'boolean' },
            waiting: { type: 'integer' },
            active: { type: 'integer' },
            models: { type: 'array', items: { type: 'object' } },
          },
          required: ['ready', 'waiting', 'active', 'models'],
        },
      },
    },
  }
}
