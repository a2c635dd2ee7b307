import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { UserError } from '#base/errors'

/** Makes the data folder, readable for its owner only. */
export const openDataFolder = (folder: string): void => {
  try {
    // Step by step and not `recursive`, which never returns in places like /proc.
    if (!existsSync(folder)) {
      if (!existsSync(dirname(folder))) mkdirSync(dirname(folder), { recursive: true })
      mkdirSync(folder, { mode: 0o700 })
    }
    chmodSync(folder, 0o700)
  } catch (error) {
    throw new UserError(`Cannot use the data folder ${folder}: ${(error as Error).message}`)
  }
}

/** The administrator's token: the given one, else the one kept in the data folder, else a new one that is kept there. */
export const adminToken = (folder: string, given: string | undefined): string => {
  if (given !== undefined && given !== '') return given
  const file = join(folder, 'admin-token')
  try {
    const kept = readFileSync(file, 'utf8').trim()
    if (kept !== '') return kept
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new UserError(`Cannot read ${file}: ${(error as Error).message}`)
  }
  const token = randomBytes(24).toString('base64url')
  writeFileSync(file, `${token}\n`, { mode: 0o600 })
  return token
}
