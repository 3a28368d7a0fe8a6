// An npm registry on loopback that has this package's dependencies as they are installed here, and the tarballs that it is
// given: what package managers do with a release is tried without a network.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { root } from './paths.mjs'

const hashOf = (algorithm, bytes, encoding) => createHash(algorithm).update(bytes).digest(encoding)

/** As `npm pack` does, without asking the package what belongs to it: all that is installed does. */
const packInstalled = (folder) =>
  execFileSync('tar', ['-C', folder, '--exclude=./node_modules', '--transform=s,^\\.,package,', '-cz', '.'], {
    maxBuffer: 2 ** 30,
  })

export const manifestIn = (tarball) =>
  JSON.parse(execFileSync('tar', ['-xzOf', tarball, 'package/package.json'], { encoding: 'utf8' }))

/** Of a package for another platform, which is not here: package managers fetch some of these, and use none. */
const packManifest = (manifest) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'jcs-registry-'))
  try {
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest))
    return packInstalled(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Versions by name: { manifest, bytes of the tarball }. */
const collect = (tarballs) => {
  const packages = new Map()
  const add = (manifest, bytes) => {
    const versions = packages.get(manifest.name) ?? new Map()
    packages.set(manifest.name, versions.set(manifest.version, { manifest, bytes }))
  }
  const { packages: locked } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'))
  for (const [location, entry] of Object.entries(locked)) {
    if (!location.includes('node_modules/') || entry.dev || entry.link) continue
    const folder = path.join(root, location)
    const file = path.join(folder, 'package.json')
    const known = { name: location.split('node_modules/').at(-1), ...entry }
    if (existsSync(file)) add(JSON.parse(readFileSync(file, 'utf8')), packInstalled(folder))
    else add(known, packManifest(known))
  }
  for (const tarball of tarballs) add(manifestIn(tarball), readFileSync(tarball))
  return packages
}

const describe = (name, versions, url) => ({
  name,
  'dist-tags': { latest: [...versions.keys()].at(-1) },
  versions: Object.fromEntries(
    [...versions].map(([version, { manifest, bytes }]) => [
      version,
      {
        ...manifest,
        dist: {
          tarball: `${url}/-/${encodeURIComponent(name)}/${version}.tgz`,
          integrity: `sha512-${hashOf('sha512', bytes, 'base64')}`,
          shasum: hashOf('sha1', bytes, 'hex'),
        },
      },
    ]),
  ),
})

/** @returns `{ url, close() }` */
export const startRegistry = async (tarballs) => {
  const packages = collect(tarballs)
  const server = createServer((request, response) => {
    const [, tarballOf, version] = /^\/-\/([^/]+)\/(.+)\.tgz$/.exec(request.url) ?? []
    const name = decodeURIComponent(tarballOf ?? request.url.slice(1))
    const versions = packages.get(name)
    if (!versions) response.writeHead(404).end('{}')
    else if (tarballOf) response.end(versions.get(version).bytes)
    else {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(describe(name, versions, url)))
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${server.address().port}`
  return { url, close: () => server.close() }
}
