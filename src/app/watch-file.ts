import { createHash } from 'node:crypto'
import { watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'

const settleMs = 100

const hashOf = async (file: string): Promise<string> => {
  try {
    return createHash('sha256')
      .update(await readFile(file))
      .digest('hex')
  } catch {
    return 'unreadable'
  }
}

export type FileWatcher = {
  /** Takes the content of now as known, so that whoever reads the file next is not told of it again. */
  note(): Promise<void>
  close(): void
}

/**
 * Calls `onChange` when the content of `file` changed. The folder is watched and not the file, since editors and
 * deployments replace a file instead of writing into it; the content is compared, since events come in bursts.
 */
export const watchFile = async (file: string, onChange: () => void): Promise<FileWatcher> => {
  let known = await hashOf(file)
  let timer: NodeJS.Timeout | undefined
  const look = async (): Promise<void> => {
    const now = await hashOf(file)
    if (now === known) return
    known = now
    onChange()
  }
  const name = basename(file)
  const watcher = watch(dirname(file), (_event, changed) => {
    // Mounted config maps swap a link beside the file, so every name counts but only the content decides.
    if (changed !== null && changed !== name && !changed.startsWith('..')) return
    clearTimeout(timer)
    timer = setTimeout(() => void look(), settleMs)
  })
  watcher.on('error', () => watcher.close())
  watcher.unref()
  return {
    note: async () => {
      known = await hashOf(file)
    },
    close: () => {
      clearTimeout(timer)
      watcher.close()
    },
  }
}
