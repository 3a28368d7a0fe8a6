/** Stands wherever a result is shown. */
export const disclaimer =
  'Research use, not a medical device; does not separate community-acquired pneumonia from COVID-19; ' +
  'a negative result does not exclude disease'
