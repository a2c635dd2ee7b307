import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Answer } from './answer.ts'

const html = readFileSync(new URL('./start-page.html', import.meta.url), 'utf8')

/** Source expressions of the page's own inline blocks (CSP level 3 §2.3.1): only these exact bytes may run. */
const hashes = (element: 'script' | 'style'): string =>
  [...html.matchAll(new RegExp(`<${element}>([\\s\\S]*?)</${element}>`, 'g'))]
    .map(
      ([, content]) =>
        `'sha256-${createHash('sha256')
          .update(content as string)
          .digest('base64')}'`,
    )
    .join(' ')

const policy = [
  "default-src 'none'",
  `script-src ${hashes('script')}`,
  `style-src ${hashes('style')}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const answer: Answer = {
  status: 200,
  type: 'text/html; charset=utf-8',
  body: html,
  headers: ['content-security-policy', policy],
}

/** `/`: a page that says what runs here and, with the token, shows the newest calls. */
export const startPage = (): Answer => answer
