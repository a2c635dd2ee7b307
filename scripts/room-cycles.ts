import { resolveImport, type SourceFile } from './room-law.ts'

/** Cycles of imports that exist at run time, each once, beginning with its first file in the alphabet. */
export const findCycles = (files: readonly SourceFile[]): string[][] => {
  const edges = new Map(
    files.map(file => [
      file.path,
      file.imports.filter(each => !each.typeOnly).map(each => resolveImport(file.path, each.specifier)),
    ]),
  )
  const finished = new Set<string>()
  const cycles = new Map<string, string[]>()
  const trail: string[] = []

  const visit = (path: string): void => {
    const start = trail.indexOf(path)
    if (start >= 0) {
      const cycle = trail.slice(start)
      const first = cycle.indexOf(cycle.toSorted()[0] as string)
      const turned = [...cycle.slice(first), ...cycle.slice(0, first)]
      cycles.set(turned.join(), turned)
      return
    }
    if (finished.has(path)) return
    trail.push(path)
    for (const target of edges.get(path) ?? []) if (target !== null) visit(target)
    trail.pop()
    finished.add(path)
  }
  for (const file of files) visit(file.path)
  return [...cycles.values()]
}
