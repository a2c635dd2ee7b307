import { type FileWatcher, watchFile } from './watch-file.ts'

export type FilesWatcher = {
  /** Watches these files from now on, and no others. */
  watch(files: readonly string[]): Promise<void>
  close(): void
}

/** Calls `onChange` when one of several files changed. */
export const watchFiles = (onChange: (file: string) => void): FilesWatcher => {
  let watched = new Map<string, FileWatcher>()
  let closed = false
  const open = async (file: string): Promise<FileWatcher | null> => {
    try {
      return await watchFile(file, () => onChange(file))
    } catch {
      // The folder is gone or may not be watched: the next reload says so, or works without.
      return null
    }
  }
  return {
    watch: async files => {
      const next = new Map<string, FileWatcher>()
      for (const file of files) {
        const watcher = watched.get(file) ?? (await open(file))
        if (watcher !== null) next.set(file, watcher)
      }
      for (const [file, watcher] of watched) if (!next.has(file)) watcher.close()
      watched = next
      if (closed) for (const watcher of watched.values()) watcher.close()
    },
    close: () => {
      closed = true
      for (const watcher of watched.values()) watcher.close()
    },
  }
}
