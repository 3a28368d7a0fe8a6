import { join } from 'node:path'
import t from 'tap'
import { evaluate, loadModel, segment, train } from '../../ts/index'
import { quick, smallSamples, smallSlices } from './small'

/** The paper's comparators from training to a saved file; what they compute is in published-parity.test.ts. */

const recipes = {
  dss: { loss: 'bce', terms: ['bce'] },
  poolnet: { loss: 'bce-sum', terms: ['bce'] },
  egnet: { loss: 'bce-sum', terms: ['bce', 'edge'] },
} as const

for (const network of ['dss', 'poolnet', 'egnet'] as const) {
  t.test(`${network} trains by its own recipe and by the common one`, async (t) => {
    const samples = smallSamples(1, 4)
    const common = { ...quick, iterations: 2, task: 'segmentation', data: { train: samples } } as const
    const spec = { network, width: 0.05 }
    const own = await train({ ...common, spec, recipe: 'authors' })
    t.equal(own.settings.loss, recipes[network].loss)
    const losses = own.history.filter((event) => event.phase === 'train').map((event) => event.losses)
    t.equal(losses.length, 2)
    for (const each of losses) {
      t.same(Object.keys(each ?? {}).sort(), recipes[network].terms)
      t.ok(Object.values(each ?? {}).every((value) => Number.isFinite(value) && value > 0))
    }
    await own.model.dispose()

    const { model, settings } = await train({ ...common, spec })
    t.equal(settings.loss, 'bce-dice')
    const before = await segment(model, smallSlices(1), { probabilities: true })
    const path = join(t.testdir(), 'model.safetensors')
    await model.save(path)
    await model.dispose()
    await using loaded = await loadModel(path)
    const after = await segment(loaded, smallSlices(1), { probabilities: true })
    t.same(after[0]?.probabilities, before[0]?.probabilities, 'a saved file is the same network')
    const { mae = Number.NaN } = (await evaluate(loaded, samples)) as { mae?: number }
    t.ok(mae > 0 && mae < 1)
  })
}
