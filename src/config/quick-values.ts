import { quickJson } from './quick-json.ts'
import { quickYaml, type Substitute } from './quick-yaml.ts'
import { coreScalar, type Surroundings, substitute } from './substitute.ts'

/**
 * The values of a config file without their places, or undefined where only the full reading (src/config/source.ts and
 * values.ts) can say what it means or what is wrong with it. Where this gives values, that gives the same.
 */
export const quickValues = (text: string, surroundings: Surroundings): unknown => {
  const fill: Substitute = (written, plain) => {
    const result = substitute(written, surroundings)
    if (!result.ok) return undefined
    return result.whole && plain ? coreScalar(result.text) : result.text
  }
  const needed = text.includes('${') ? fill : null
  return text.trimStart().startsWith('{') ? quickJson(text, needed) : quickYaml(text, needed)
}
