import { type IntensityWindow, namedWindows } from '../images'
import { Html, html } from './html'

/** What slices in HU are stored with: eight bits that reach from air to bone's edge, in steps of 6 HU. */
export const storedWindow: IntensityWindow = { center: -475, width: 1500 }

/** Windows that the reader chooses from, as linear filters over the stored pictures. */
export const windowPresets = Object.entries(namedWindows).map(([name, window]) => ({ name, window }))

/** Of an SVG filter: value × slope + intercept, for values from 0 to 1. */
function filterOf(window: IntensityWindow): { slope: number; intercept: number } {
  const low = window.center - window.width / 2
  const storedLow = storedWindow.center - storedWindow.width / 2
  return { slope: storedWindow.width / window.width, intercept: (storedLow - low) / window.width }
}

export function presetFilters(): Html {
  return html`<svg width="0" height="0" class="filters" aria-hidden="true">${windowPresets.map(
    ({ name, window }) => {
      const { slope, intercept } = filterOf(window)
      const transfer = ['R', 'G', 'B'].map(
        (channel) =>
          new Html(
            `<feFunc${channel} type="linear" slope="${slope.toFixed(5)}" intercept="${intercept.toFixed(5)}"/>`,
          ),
      )
      return html`<filter id="window-${name}" color-interpolation-filters="sRGB"><feComponentTransfer>${transfer}</feComponentTransfer></filter>`
    },
  )}</svg>`
}

export function presetStyle(): string {
  return windowPresets.map(({ name }) => `.window-${name} .base { filter: url(#window-${name}); }`).join('\n')
}
