/** Nothing in the page makes a browser ask another machine for something, and no markup comes from data. */
export function checkSelfContained(
  t: Pick<typeof import('tap').t, 'match' | 'notMatch'>,
  page: string,
): void {
  t.notMatch(page.replace(/base64,[^"]*/g, ''), /https?:|\/\/[a-z]|@import|<link|<iframe|url\((?!#)/i)
  for (const [, source] of page.matchAll(/\ssrc="([^"]*)"/g))
    t.match(source, /^data:image\/(png|webp);base64,/)
  t.match(page, /Content-Security-Policy" content="default-src 'none'/)
  t.notMatch(page, /<img src=x/, 'no hostile tag')
  t.notMatch(page, /<script>alert/, 'no hostile script')
}
