// What @actions/glob and minimatch make of patterns. oracle.mjs PACKAGES FOLDER, questions as JSON on the standard input.
import fs from 'node:fs'
import path from 'node:path'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [packages, folder] = process.argv.slice(2)
const modules = path.join(packages, 'node_modules')
const glob = await import(pathToFileURL(path.join(modules, '@actions/glob/lib/glob.js')).href)
const loaded = createRequire(path.join(modules, '@actions/glob/lib/glob.js'))('minimatch')
const Minimatch = loaded.Minimatch ?? loaded.default.Minimatch
process.chdir(folder)
const ask = JSON.parse(fs.readFileSync(0, 'utf8'))
const out = { globs: [], names: [] }
for (const q of ask.globs) {
  try {
    const g = await glob.create(q.patterns, { implicitDescendants: !q.noDescend, excludeHiddenFiles: !!q.skipHidden, matchDirectories: !q.noFolders })
    out.globs.push({ roots: g.getSearchPaths(), found: (await g.glob()).sort() })
  } catch (e) { out.globs.push({ error: e.message }) }
}
for (const p of ask.patterns) out.names.push(ask.names.filter(n => new Minimatch(p).match(n)))
process.stdout.write('@@' + JSON.stringify(out) + '\n')
