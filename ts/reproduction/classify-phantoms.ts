import type { Model } from '../model'
import type { PhantomSample } from '../phantom'
import type { RunContext } from '../run/run'
import { type ActivationMaps, explainedClassifier, explainedPatients } from './activation-maps'
import { type CaseThresholds, caseThresholdsOf } from './case-thresholds'
import { type ClassifierKey, classifierTrainings, phantomClassifier } from './classifiers'
import type { ReproductionPlan } from './options'
import type { ReproductionPictures } from './page'
import { drawSlices } from './phantoms'

export interface ClassifiedPhantoms {
  caseThresholds?: CaseThresholds
  activationMaps?: ActivationMaps
  pictures?: NonNullable<ReproductionPictures['activationMaps']>
}

/** Table IV and figure 9, which share the paper's classifier. */
export async function classifyPhantoms(
  plan: ReproductionPlan,
  context: RunContext,
): Promise<ClassifiedPhantoms> {
  const { wanted, budget } = plan
  const maps = wanted.includes('figure-9')
  if (!maps && !wanted.includes('table-4')) return {}
  let drawn: Promise<PhantomSample[]> | undefined
  const draw = () => (drawn ??= drawSlices('training', budget.phantomPatients, context.signal))
  const keys = maps ? (Object.keys(classifierTrainings) as ClassifierKey[]) : (['guided'] as const)
  const held = maps ? await drawSlices('held out', explainedPatients, context.signal) : []
  const result: ClassifiedPhantoms = {}
  const explained = []
  for (const key of keys) {
    await using model: Model = await phantomClassifier(key, plan, draw, context)
    if (maps) explained.push(await explainedClassifier(key, model, held, context))
    if (key === 'guided' && wanted.includes('table-4'))
      result.caseThresholds = await caseThresholdsOf(model, budget, context)
  }
  if (!maps) return result
  return {
    ...result,
    activationMaps: {
      experiment: 'figure-9',
      title: 'Figure 9: activation maps by training, synthetic phantoms',
      rows: explained.map(({ row }) => row),
    },
    pictures: explained.map(({ row: { name }, pictures }) => ({ name, pictures })),
  }
}
