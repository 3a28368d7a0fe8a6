/** What the objects are that lie beside CT in scanners' folders, for messages (PS3.6, annex A). */
const names: Readonly<Record<string, string>> = {
  '1.2.840.10008.1.3.10': 'a DICOMDIR',
  '1.2.840.10008.5.1.4.1.1.2': 'a CT image',
  '1.2.840.10008.5.1.4.1.1.2.1': 'an enhanced CT image',
  '1.2.840.10008.5.1.4.1.1.2.2': 'a legacy converted enhanced CT image',
  '1.2.840.10008.5.1.4.1.1.1': 'a radiograph',
  '1.2.840.10008.5.1.4.1.1.1.1': 'a digital radiograph',
  '1.2.840.10008.5.1.4.1.1.4': 'an MR image',
  '1.2.840.10008.5.1.4.1.1.4.1': 'an enhanced MR image',
  '1.2.840.10008.5.1.4.1.1.6.1': 'an ultrasound image',
  '1.2.840.10008.5.1.4.1.1.3.1': 'an ultrasound clip',
  '1.2.840.10008.5.1.4.1.1.7': 'a secondary capture',
  '1.2.840.10008.5.1.4.1.1.7.2': 'a secondary capture',
  '1.2.840.10008.5.1.4.1.1.7.4': 'a secondary capture',
  '1.2.840.10008.5.1.4.1.1.11.1': 'a presentation state',
  '1.2.840.10008.5.1.4.1.1.66.4': 'a segmentation',
  '1.2.840.10008.5.1.4.1.1.88.11': 'a structured report',
  '1.2.840.10008.5.1.4.1.1.88.22': 'a structured report',
  '1.2.840.10008.5.1.4.1.1.88.33': 'a structured report',
  '1.2.840.10008.5.1.4.1.1.88.59': 'a key object selection',
  '1.2.840.10008.5.1.4.1.1.88.67': 'a radiation dose report',
  '1.2.840.10008.5.1.4.1.1.104.1': 'an encapsulated PDF',
  '1.2.840.10008.5.1.4.1.1.128': 'a PET image',
  '1.2.840.10008.5.1.4.1.1.481.3': 'a set of radiotherapy structures',
}

export const dicomDirectoryClass = '1.2.840.10008.1.3.10'

export function sopClassName(uid: string): string | undefined {
  return Object.hasOwn(names, uid) ? names[uid] : undefined
}
