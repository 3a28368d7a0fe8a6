import type Sharp from 'sharp'

let loaded: typeof Sharp | undefined

/** sharp, which takes as long to load as the rest of this library and therefore comes with the first picture. */
export function loadSharp(): typeof Sharp {
  loaded ??= require('sharp') as typeof Sharp
  return loaded
}
