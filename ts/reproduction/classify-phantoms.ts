import type { Model } from '../model'
import type { PhantomSample } from '../phantom'
import type { RunContext } from '../run/run'
import { type ActivationMaps, explainedClassifier, explainedPatients } from './activation-maps'
import { type CaseThresholds, caseThresholdsOf } from './case-thresholds'
import { classifiersOf, phantomClassifier } from './classifiers'
import type { Costs } from './costs'
import type { ReproductionPlan } from './options'
import type { ReproductionPictures } from './page'
import { drawSlices } from './phantoms'
import type { PlanProgress } from './progress'

export interface ClassifiedPhantoms {
  caseThresholds?: CaseThresholds
  activationMaps?: ActivationMaps
  pictures?: NonNullable<ReproductionPictures['activationMaps']>
}

/** Table IV and figure 9, which share the paper's classifier. */
export async function classifyPhantoms(
  plan: ReproductionPlan,
  costs: Costs,
  progress: PlanProgress,
  context: RunContext,
): Promise<ClassifiedPhantoms> {
  const { wanted, budget } = plan
  const keys = classifiersOf(wanted)
  if (keys.length === 0) return {}
  const maps = wanted.includes('figure-9')
  let drawn: Promise<PhantomSample[]> | undefined
  const draw = () => (drawn ??= drawSlices('training', budget.phantomPatients, context.signal))
  const held = maps ? await drawSlices('held out', explainedPatients, context.signal) : []
  const result: ClassifiedPhantoms = {}
  const explained = []
  for (const key of keys) {
    await using model: Model = await progress.during(costs.classifier, 'train', () =>
      phantomClassifier(key, plan, draw, context),
    )
    if (maps) explained.push(await explainedClassifier(key, model, held, context))
    if (key === 'guided' && wanted.includes('table-4'))
      result.caseThresholds = await progress.during(costs.caseThresholds, 'evaluate', () =>
        caseThresholdsOf(model, budget, context),
      )
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
