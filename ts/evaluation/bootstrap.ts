import { requireBoolean, requireKnown, requireObject, requireWhole } from '../base/check'
import { JcsError } from '../base/errors'
import type { NativeScoring } from '../native'

export interface BootstrapOptions {
  /** Draws of patients. Default 1000; 0: no intervals. */
  resamples?: number | undefined
  /** Default 0. */
  seed?: number | undefined
  /** Give what each metric is in every resample, as `draws`. Default false. */
  draws?: boolean | undefined
  /**
   * Where the dataset is one part of several, as in cross-validation: how many patients all parts have, and how many of
   * them lie in the parts before. A resample draws from all of them then, and this part gets those that are its own; so
   * the `draws` of all parts, with one seed, are of the same resamples.
   */
  population?: { patients: number; before: number } | undefined
}

/** @throws JcsError INVALID_TYPE, INVALID_ARGUMENT */
export function takeBootstrap(bootstrap: BootstrapOptions = {}): Omit<NativeScoring, 'testTimeAugmentation'> {
  requireObject('bootstrap', bootstrap)
  requireKnown('bootstrap', bootstrap, ['resamples', 'seed', 'draws', 'population'])
  const { resamples = 1000, seed = 0, draws = false, population } = bootstrap
  requireWhole('bootstrap.resamples', resamples, 0, 1e6)
  requireWhole('bootstrap.seed', seed, 0)
  requireBoolean('bootstrap.draws', draws)
  const all = { resamples, bootstrapSeed: seed, draws }
  if (population === undefined) return { ...all, patients: 0, firstPatient: 0 }
  requireObject('bootstrap.population', population)
  requireKnown('bootstrap.population', population, ['patients', 'before'])
  const { patients, before } = population
  requireWhole('bootstrap.population.patients', patients, 1, 2 ** 31)
  requireWhole('bootstrap.population.before', before, 0)
  if (before >= patients)
    throw new JcsError(
      'INVALID_ARGUMENT',
      `bootstrap.population has ${patients} patients, of which ${before} cannot lie before these`,
    )
  return { ...all, patients, firstPatient: before }
}
