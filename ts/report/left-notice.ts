/** Whose left 'left' is, by `laterality`. */
export const leftNotice = {
  image: 'Left is the image’s left, not the patient’s.',
  patient: 'Left is the patient’s left.',
} as const
