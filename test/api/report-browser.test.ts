import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { diagnose, diagnosisReport, generateCase, openCase } from '../../ts/index'
import { filesOf, writeFiles } from './dicom-files'
import { count, lower, lungs, networks, scan, trachea, upper } from './lung-scan'

const executablePath = '/usr/bin/chromium'
const skip = existsSync(executablePath) ? false : 'Chromium is not installed: npm run setup -- --test'

let browser: Browser

/** Opens a report as a reader does; whatever it complains of, or asks the network for, is a failure. */
async function open(t: Test, directory: string, html: string): Promise<Page> {
  const path = join(directory, 'report.html')
  writeFileSync(path, html)
  const page = await browser.newPage({ viewport: { width: 1100, height: 900 }, hasTouch: true })
  t.teardown(() => page.close())
  page.on('console', (message) => t.fail(`console: ${message.text()}`))
  page.on('pageerror', (error) => t.fail(`error: ${error.message}`))
  page.on('request', (request) => {
    if (!/^(file|data):/.test(request.url())) t.fail(`request: ${request.url()}`)
  })
  await page.goto(pathToFileURL(path).href)
  return page
}

async function measuredReport(directory: string): Promise<string> {
  writeFiles(join(directory, 'case'), filesOf(scan([...lungs, trachea, upper, lower])))
  const { lungs: lungModel, segmenter } = await networks(directory)
  await using _ = lungModel
  await using __ = segmenter
  using opened = openCase(join(directory, 'case'))
  const diagnosis = await diagnose({ segmenter, lungs: lungModel }, opened, { sliceThreshold: 7 })
  return await diagnosisReport(diagnosis, opened)
}

const seriesOf = (modality: string) => ({
  uid: '1',
  modality,
  slices: 2,
  rows: 64,
  columns: 64,
  isAxial: true,
})

/** Page objects of a PDF, whose own are not compressed. */
function pagesOf(pdf: Buffer): number {
  return pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length ?? 0
}

/** The pixel at shares of an element's width and height, as it is shown. */
async function pixels(page: Page, selector: string, x: number, y: number) {
  const { default: sharp } = await import('sharp')
  const shot = await page.locator(selector).screenshot()
  const { width, height } = await sharp(shot).metadata()
  const left = Math.floor(x * width!)
  const top = Math.floor(y * height!)
  return { data: await sharp(shot).extract({ left, top, width: 1, height: 1 }).raw().toBuffer() }
}

// The browser is closed by a test's end: while it runs, the process would never come to its own.
t.test('reports in Chromium', { skip }, async (t) => {
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  t.teardown(() => browser.close())

  await t.test('a report is read with keys, wheel and finger, and printed on two pages', async (t) => {
    const directory = t.testdir({ case: {} })
    const html = await measuredReport(directory)
    const page = await open(t, directory, html)
    const caption = () => page.locator('#caption').textContent()
    const isSlice = async (number: number, message: string) =>
      t.match(await caption(), new RegExp(`^slice ${number} · `), message)

    // Opens at the slice with most lesion: the body counts in this one, so at the last slices without lung.
    await page.keyboard.press('Home')
    await isSlice(1, 'Home')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowDown')
    await isSlice(3, 'arrows')
    t.match(await caption(), /30\smm² · positive/)
    await page.keyboard.press('ArrowLeft')
    await isSlice(2, 'back')
    await page.keyboard.press('End')
    await isSlice(count, 'End')
    await page.keyboard.press('ArrowRight')
    await isSlice(count, 'and no further')
    await page.getByRole('button', { name: 'previous slice' }).click()
    await isSlice(count - 1, 'button')
    await page.getByRole('slider', { name: 'slice' }).fill('5')
    await isSlice(5, 'slider')
    await page.locator('#stage-lesions').hover()
    await page.mouse.wheel(0, 120)
    await isSlice(6, 'wheel')
    await page.evaluate(`{
      const target = document.querySelector('.stage')
      const at = (type, clientY) =>
        target.dispatchEvent(new TouchEvent(type, { touches: [new Touch({ identifier: 1, target, clientY })] }))
      at('touchstart', 300)
      at('touchmove', 280)
    }`)
    await isSlice(7, 'swiping up')

    t.equal(await page.locator('#stage-lesions img.lesions').isVisible(), true)
    await page.getByLabel('show lesions').uncheck()
    t.equal(await page.locator('#stage-lesions img.lesions').isVisible(), false)

    const filter = () =>
      page.evaluate<string>(`getComputedStyle(document.querySelector('#stage-lesions img.base')).filter`)
    t.match(await filter(), /#window-lung/)
    await page.getByLabel('window').selectOption('mediastinum')
    t.match(await filter(), /#window-mediastinum/)
    const grayAt = async (x: number, y: number) => {
      const { data } = await pixels(page, '#stage-lesions', x, y)
      return data[0]! / 255
    }
    // Tissue of 0 HU lies at (0 + 160) / 400 of the mediastinal window and (0 + 1350) / 1500 of the lungs'.
    t.ok(Math.abs((await grayAt(0.5, 0.9)) - 160 / 400) < 0.04, 'tissue, mediastinum')
    await page.getByLabel('window').selectOption('lung')
    t.ok(Math.abs((await grayAt(0.5, 0.9)) - 1350 / 1500) < 0.02, 'tissue, lung')

    await page.getByLabel('show lesions').check()

    const coronal = page.getByRole('img', { name: /Lungs from the front/ })
    t.ok(await coronal.isVisible())
    const [width, height] = (await page.evaluate(`{
      const { naturalWidth, naturalHeight } = document.querySelector('.coronal img')
      ;[naturalWidth, naturalHeight]
    }`)) as [number, number]
    t.ok(Math.abs(height / width - (count * 2) / (64 * 0.75)) < 0.03, 'in true proportions')
    t.match(await page.locator('.coronal .side').allTextContents(), ['R', 'L'])

    await page.getByRole('link', { name: '26–28' }).click()
    await isSlice(27, 'a lesion leads to its middle slice')
    const pdf = await page.pdf({ format: 'A4' })
    t.equal(pagesOf(pdf), 2)
  })

  await t.test('what comes from files is text, in a browser too', async (t) => {
    const slices = generateCase(1, { infected: true, slices: 2, size: 64 }).slices.map(({ pixels }) => pixels)
    const directory = t.testdir({})
    const { segmenter, lungs: unused } = await networks(directory)
    await unused.dispose()
    await using _ = segmenter
    const diagnosis = await diagnose({ segmenter }, slices, { sliceThreshold: 0 })
    const hostile =
      '</script><script>document.title = "owned"</script><img src=x onerror="document.title = 1">'
    const series = { ...seriesOf(hostile), excluded: [{ what: hostile, reason: hostile }] }
    const html = await diagnosisReport(
      { ...diagnosis, series, warnings: [hostile], notices: [hostile] },
      slices,
      {
        title: hostile,
      },
    )
    const page = await open(t, directory, html)
    t.equal(await page.title(), hostile)
    t.equal(await page.locator('img[src="x"]').count(), 0)
  })

  await t.test('150 slices of 512 × 512 are less than 8 MB', async (t) => {
    const some = generateCase(3, { infected: true, slices: 10, size: 512 }).slices
    // As a scanner gives them: in HU, noise and all.
    const slices = Array.from({ length: 150 }, (_, i) => {
      const { data, width, height } = some[i % some.length]!.pixels
      const hounsfield = Int16Array.from(data as Uint8Array, (value) =>
        Math.round((value / 255) * 1500 - 1350),
      )
      return { data: hounsfield, width, height, window: { center: -600, width: 1500 } }
    })
    const directory = t.testdir({})
    const { segmenter, lungs: unused } = await networks(directory)
    await unused.dispose()
    await using _ = segmenter
    using opened = openCase(slices)
    const diagnosis = await diagnose({ segmenter }, opened, { sliceThreshold: 0 })
    const html = await diagnosisReport(diagnosis, opened)
    t.ok(html.length < 8 * 2 ** 20, `${(html.length / 2 ** 20).toFixed(1)} MB`)
    const page = await open(t, directory, html)
    t.equal(pagesOf(await page.pdf({ format: 'A4' })), 2)
  })
})
