import { derivedUid } from '../../dicom'

/** A concept as an item of a sequence (PS3.3, 8.8). */
export interface Code {
  CodeValue: string
  CodingSchemeDesignator: string
  CodeMeaning: string
}

type Scheme = 'SCT' | 'DCM' | 'UCUM' | 'UMLS' | 'RFC5646' | typeof ownScheme

/** `value` has 16 characters at most (PS3.5, 6.2, SH), `meaning` 64. */
export function code(value: string, scheme: Scheme, meaning: string): Code {
  return { CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: meaning }
}

/** Of concepts that no published scheme has; private ones begin with 99 (PS3.3, 8.2). */
const ownScheme = '99JCSCT'

/** What a file with own codes says of their scheme (PS3.3, C.12.1); a function, for its UID is a hash. */
export const ownSchemeIdentification = () => ({
  CodingSchemeIdentificationSequence: [
    {
      CodingSchemeDesignator: ownScheme,
      CodingSchemeUID: derivedUid('coding scheme of jcs-ct'),
      CodingSchemeName: 'jcs-ct',
    },
  ],
})

export const lung = code('39607008', 'SCT', 'Lung')
export const lesion = code('52988006', 'SCT', 'Lesion')
export const segmentation = code('113076', 'DCM', 'Segmentation')

export const sides = {
  both: code('51440002', 'SCT', 'Right and left'),
  right: code('24028007', 'SCT', 'Right'),
  left: code('7771000', 'SCT', 'Left'),
}

/** Of the height over which there is lung, and so neither lobes nor the zones of radiologists, which have codes. */
export const thirds = {
  upper: code('upper-third', ownScheme, 'Upper third of the height of the lungs'),
  middle: code('middle-third', ownScheme, 'Middle third of the height of the lungs'),
  lower: code('lower-third', ownScheme, 'Lower third of the height of the lungs'),
}

/** What is measured. */
export const measured = {
  volume: code('118565006', 'SCT', 'Volume'),
  attenuation: code('112031', 'DCM', 'Attenuation Coefficient'),
  lesions: code('246206008', 'SCT', 'Number of lesions'),
  lesionVolume: code('lesion-volume', ownScheme, 'Volume of lesions inside the lung'),
  lesionPercent: code('lesion-percent', ownScheme, 'Lesions inside the lung by volume of lung'),
  lesionOutside: code('lesion-outside', ownScheme, 'Volume of lesions outside the lungs'),
  severity: code('severity', ownScheme, 'Six-zone CT severity score, 0 to 24'),
  slices: code('slices', ownScheme, 'Number of slices that show it'),
  totalSlices: code('total-slices', ownScheme, 'Number of slices of the case'),
  positiveSlices: code('positive-slices', ownScheme, 'Number of positive slices'),
  sliceThreshold: code('slice-threshold', ownScheme, 'The case is positive with more positive slices'),
  sliceThresholdMm: code('threshold-mm', ownScheme, 'Threshold of positive slices as it was given'),
  minLesionArea: code('min-lesion-area', ownScheme, 'A slice is positive with more area of lesions'),
  highestProbability: code('max-probability', ownScheme, 'Highest probability of a slice'),
}

/** What is said of the case. */
export const evaluated = {
  decision: code('decision', ownScheme, 'Decision on the case: COVID-19 pneumonia'),
  basis: code('basis', ownScheme, 'Basis of the decision'),
  positive: code('10828004', 'SCT', 'Positive'),
  negative: code('260385009', 'SCT', 'Negative'),
}

export const units = {
  ml: code('ml', 'UCUM', 'ml'),
  mm: code('mm', 'UCUM', 'mm'),
  mm2: code('mm2', 'UCUM', 'mm2'),
  percent: code('%', 'UCUM', '%'),
  hounsfield: code("[hnsf'U]", 'UCUM', 'Hounsfield unit'),
  none: code('1', 'UCUM', 'no units'),
}
