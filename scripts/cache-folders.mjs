// Prints where set-up keeps oneDNN and NVIDIA's packages for this user, as a list of CMake's.
import { cudaPrefix } from './cuda-wheels.mjs'
import { onednnPrefix } from './onednn-cache.mjs'

console.log([onednnPrefix, cudaPrefix].join(';'))
