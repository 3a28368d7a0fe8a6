import { createHash } from 'node:crypto'
import type { DatasetSample } from '../datasets'
import { Model } from '../model'
import { resolveSettings } from '../training/options'
import type { FoldClassifier } from './classifier'
import type { Fold } from './folds'
import type { Training } from './options'

/** What must be the same for a directory to go on: all but how many seeds there are and how often is saved. */
export async function planOf(
  training: Training,
  folds: readonly Fold[],
  evaluation: object,
  classifier: FoldClassifier | undefined,
): Promise<Record<string, unknown>> {
  const {
    task,
    spec,
    classifier: fixedClassifier,
    backbone,
    pretrained,
    window,
    validationFraction,
    checkpoint: _,
    ...settings
  } = training
  return {
    task,
    spec,
    settings: JSON.parse(
      resolveSettings({ ...settings, task, spec, backbone, window, data: { train: [] } }).toJson(),
    ),
    weights: {
      classifier: await identityOf(fixedClassifier),
      backbone: await identityOf(backbone),
      pretrained: await identityOf(pretrained),
    },
    validationFraction,
    ...(classifier && { classifierTraining: planOfClassifier(classifier) }),
    evaluation,
    folds: Object.fromEntries(folds.map(({ name, held }) => [name, hashOf(held)])),
  }
}

function planOfClassifier({ training, uninfected }: FoldClassifier): Record<string, unknown> {
  const { spec, uninfected: _, ...settings } = training
  const task = 'classification'
  return {
    spec,
    settings: JSON.parse(resolveSettings({ ...settings, task, spec, data: { train: [] } }).toJson()),
    uninfected: hashOf(uninfected),
  }
}

/** By name where there is one, else by content. */
async function identityOf(weights: unknown): Promise<unknown> {
  if (Array.isArray(weights)) return Promise.all(weights.map(identityOf))
  if (weights instanceof Uint8Array) return createHash('sha256').update(weights).digest('hex')
  if (weights instanceof URL) return weights.href
  return weights instanceof Model ? await weights.sha256() : weights
}

/** Of what samples are called and what is known of them; images are many. */
function hashOf(samples: readonly DatasetSample[]): string {
  const hash = createHash('sha256')
  const named = (source: unknown, name: unknown) => (typeof source === 'string' ? source : name)
  for (const { image, mask, origin, label, patient } of samples)
    hash.update(JSON.stringify([named(image, origin), named(mask, mask !== undefined), label, patient]))
  return `${samples.length} samples, ${hash.digest('hex').slice(0, 32)}`
}
