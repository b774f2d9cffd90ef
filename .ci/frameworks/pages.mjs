// README.md's pages on test frameworks as files and commands.

/**
 * The part of `readme` under `### heading`: blocks of JavaScript by the file name in their first line, lines of shell blocks as commands,
 * and how many tests the files hold.
 */
export function readPage(readme, heading) {
  const from = readme.indexOf(`\n### ${heading}\n`)
  if (from < 0) throw new Error(`README.md has no page "${heading}"`)
  const rest = readme.slice(from + 5)
  const end = rest.search(/^##/m)
  const page = end < 0 ? rest : rest.slice(0, end)
  const files = {}
  const commands = []
  for (const [, language, text] of page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)) {
    if (language === 'sh') commands.push(...text.trim().split('\n'))
    const name = /^\/\/ (\S+\.[cm]?js)\n/.exec(text)?.[1]
    if (name !== undefined) files[name] = text
  }
  const tests =
    Object.values(files)
      .join('')
      .match(/^(?:it|test)\(/gm)?.length ?? 0
  if (tests === 0 || commands.length === 0)
    throw new Error(`page "${heading}" has no test or no command`)
  return { files, commands, tests }
}
