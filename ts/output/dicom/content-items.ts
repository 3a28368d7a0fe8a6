import { decimalString } from '../../dicom'
import type { Code } from './codes'

type Relationship = 'CONTAINS' | 'HAS OBS CONTEXT' | 'HAS ACQ CONTEXT' | 'HAS CONCEPT MOD'

/** A node of a structured report's tree (PS3.3, C.17.3), by keyword. */
export interface ContentItem {
  RelationshipType?: Relationship
  ValueType: string
  [keyword: string]: unknown
}

/** Of instances. */
export interface Reference {
  ReferencedSOPClassUID: string
  ReferencedSOPInstanceUID: string
  ReferencedSegmentNumber?: number
}

export function related(relationship: Relationship, item: ContentItem): ContentItem {
  return { ...item, RelationshipType: relationship }
}

/** `template`: the identifier of the one of PS3.16 that the container begins. */
export function container(concept: Code, content: readonly ContentItem[], template?: string): ContentItem {
  return {
    RelationshipType: 'CONTAINS',
    ValueType: 'CONTAINER',
    ConceptNameCodeSequence: [concept],
    ContinuityOfContent: 'SEPARATE',
    ...(template && {
      ContentTemplateSequence: [{ MappingResource: 'DCMR', TemplateIdentifier: template }],
    }),
    ContentSequence: content,
  }
}

export function text(concept: Code, value: string): ContentItem {
  return {
    RelationshipType: 'CONTAINS',
    ValueType: 'TEXT',
    ConceptNameCodeSequence: [concept],
    TextValue: value,
  }
}

export function coded(concept: Code, value: Code, modifiers: readonly ContentItem[] = []): ContentItem {
  return {
    RelationshipType: 'CONTAINS',
    ValueType: 'CODE',
    ConceptNameCodeSequence: [concept],
    ConceptCodeSequence: [value],
    ...contentOf(modifiers),
  }
}

export function uidReference(concept: Code, uid: string): ContentItem {
  return { RelationshipType: 'CONTAINS', ValueType: 'UIDREF', ConceptNameCodeSequence: [concept], UID: uid }
}

export function image(reference: Reference, concept?: Code): ContentItem {
  return {
    RelationshipType: 'CONTAINS',
    ValueType: 'IMAGE',
    ...(concept && { ConceptNameCodeSequence: [concept] }),
    ReferencedSOPSequence: [reference],
  }
}

/** With six digits that count: what is measured of masks has no more. */
export function numeric(
  concept: Code,
  value: number,
  unit: Code,
  modifiers: readonly ContentItem[] = [],
): ContentItem {
  return {
    RelationshipType: 'CONTAINS',
    ValueType: 'NUM',
    ConceptNameCodeSequence: [concept],
    MeasuredValueSequence: [
      { NumericValue: decimalString(Number(value.toPrecision(6))), MeasurementUnitsCodeSequence: [unit] },
    ],
    ...contentOf(modifiers),
  }
}

/** A sequence has one item at least. */
function contentOf(items: readonly ContentItem[]): { ContentSequence?: readonly ContentItem[] } {
  return items.length > 0 ? { ContentSequence: items } : {}
}
