// Runs the script of a step with actions/github-script (README of actions/github-script). The arguments that it gets come
// from the npm packages @actions/… where they are found; core and context work without them.
'use strict'
const fs = require('fs')
const os = require('os')
const path = require('path')
const { createRequire } = require('module')
const { pathToFileURL } = require('url')

const env = process.env
const input = name => (env['INPUT_' + name.replace(/ /g, '_').toUpperCase()] || '').trim()
const escapeData = s => s.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A')
const escapeProperty = s => escapeData(s).replace(/:/g, '%3A').replace(/,/g, '%2C')
const text = v => (v === null || v === undefined ? '' : typeof v === 'string' || v instanceof String ? String(v) : JSON.stringify(v))

function issue(name, properties, message) {
  const given = Object.entries(properties || {}).filter(([, v]) => v !== undefined && v !== null && v !== '')
  const list = given.map(([k, v]) => k + '=' + escapeProperty(text(v))).join(',')
  process.stdout.write('::' + name + (list ? ' ' + list : '') + '::' + escapeData(text(message)) + os.EOL)
}

function append(variable, content) {
  if (!env[variable]) throw new Error(variable + ' names no file')
  fs.appendFileSync(env[variable], content + os.EOL, { encoding: 'utf8' })
}

function keyed(variable, name, value) {
  const word = 'ghadelimiter_' + require('crypto').randomUUID()
  append(variable, name + '<<' + word + os.EOL + text(value) + os.EOL + word)
}

function annotation(p) {
  if (!p) return {}
  return { title: p.title, file: p.file, line: p.startLine, endLine: p.endLine, col: p.startColumn, endColumn: p.endColumn }
}

// ownSummary is core.summary: Markdown and HTML that is collected and then written.
class ownSummary {
  constructor() { this.buffer = '' }
  async write(options) {
    if (!env.GITHUB_STEP_SUMMARY) throw new Error('GITHUB_STEP_SUMMARY names no file')
    const put = options && options.overwrite ? fs.writeFileSync : fs.appendFileSync
    put(env.GITHUB_STEP_SUMMARY, this.buffer, { encoding: 'utf8' })
    return this.emptyBuffer()
  }
  async clear() { return this.emptyBuffer().write({ overwrite: true }) }
  stringify() { return this.buffer }
  isEmptyBuffer() { return this.buffer.length === 0 }
  emptyBuffer() { this.buffer = ''; return this }
  addRaw(s, line = false) { this.buffer += s; return line ? this.addEOL() : this }
  addEOL() { return this.addRaw(os.EOL) }
  wrap(tag, content, attributes = {}) {
    const list = Object.entries(attributes).filter(([, v]) => v).map(([k, v]) => ` ${k}="${v}"`).join('')
    return content === null ? `<${tag}${list}>` : `<${tag}${list}>${content}</${tag}>`
  }
  addCodeBlock(code, lang) { return this.addRaw(this.wrap('pre', this.wrap('code', code), { lang })).addEOL() }
  addList(items, ordered = false) { return this.addRaw(this.wrap(ordered ? 'ol' : 'ul', items.map(i => this.wrap('li', i)).join(''))).addEOL() }
  addTable(rows) {
    const cell = c => {
      if (typeof c === 'string') return this.wrap('td', c)
      return this.wrap(c.header ? 'th' : 'td', c.data, { colspan: c.colspan, rowspan: c.rowspan })
    }
    return this.addRaw(this.wrap('table', rows.map(r => this.wrap('tr', r.map(cell).join(''))).join(''))).addEOL()
  }
  addDetails(label, content) { return this.addRaw(this.wrap('details', this.wrap('summary', label) + content)).addEOL() }
  addImage(src, alt, options) { return this.addRaw(this.wrap('img', null, { src, alt, ...(options || {}) })).addEOL() }
  addHeading(s, level) {
    const tag = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].includes('h' + level) ? 'h' + level : 'h1'
    return this.addRaw(this.wrap(tag, s)).addEOL()
  }
  addSeparator() { return this.addRaw(this.wrap('hr', null)).addEOL() }
  addBreak() { return this.addRaw(this.wrap('br', null)).addEOL() }
  addQuote(s, cite) { return this.addRaw(this.wrap('blockquote', s, { cite })).addEOL() }
  addLink(s, href) { return this.addRaw(this.wrap('a', s, { href })).addEOL() }
}

const ownCore = {
  ExitCode: { Success: 0, Failure: 1 },
  getInput(name, options) {
    const value = env['INPUT_' + name.replace(/ /g, '_').toUpperCase()] || ''
    if (options && options.required && !value) throw new Error('Input required and not supplied: ' + name)
    return options && options.trimWhitespace === false ? value : value.trim()
  },
  getMultilineInput(name, options) { return ownCore.getInput(name, options).split('\n').filter(x => x !== '').map(x => x.trim()) },
  getBooleanInput(name, options) {
    const value = ownCore.getInput(name, options)
    if (['true', 'True', 'TRUE'].includes(value)) return true
    if (['false', 'False', 'FALSE'].includes(value)) return false
    throw new TypeError('Input does not meet YAML 1.2 "Core Schema" specification: ' + name)
  },
  setOutput(name, value) { keyed('GITHUB_OUTPUT', name, value) },
  saveState(name, value) { keyed('GITHUB_STATE', name, value) },
  getState(name) { return env['STATE_' + name] || '' },
  exportVariable(name, value) { env[name] = text(value); keyed('GITHUB_ENV', name, value) },
  addPath(dir) { append('GITHUB_PATH', dir); env.PATH = dir + path.delimiter + env.PATH },
  setSecret(value) { issue('add-mask', {}, value) },
  setCommandEcho(on) { issue('echo', {}, on ? 'on' : 'off') },
  setFailed(message) { process.exitCode = 1; ownCore.error(message) },
  isDebug() { return env.RUNNER_DEBUG === '1' },
  debug(message) { issue('debug', {}, message) },
  error(message, p) { issue('error', annotation(p), message instanceof Error ? message.toString() : message) },
  warning(message, p) { issue('warning', annotation(p), message instanceof Error ? message.toString() : message) },
  notice(message, p) { issue('notice', annotation(p), message instanceof Error ? message.toString() : message) },
  info(message) { process.stdout.write(message + os.EOL) },
  startGroup(name) { issue('group', {}, name) },
  endGroup() { issue('endgroup', {}, '') },
  async group(name, fn) { ownCore.startGroup(name); try { return await fn() } finally { ownCore.endGroup() } },
  async getIDToken() { throw new Error('core.getIDToken needs the npm package @actions/core') },
  toPosixPath: p => p.replace(/[\\]/g, '/'),
  toWin32Path: p => p.replace(/[/]/g, '\\'),
  toPlatformPath: p => p.replace(/[/\\]/g, path.sep),
  summary: new ownSummary()
}
ownCore.markdownSummary = ownCore.summary

class ownContext {
  constructor() {
    this.payload = env.GITHUB_EVENT_PATH && fs.existsSync(env.GITHUB_EVENT_PATH) ? JSON.parse(fs.readFileSync(env.GITHUB_EVENT_PATH, 'utf8')) : {}
    this.eventName = env.GITHUB_EVENT_NAME
    for (const name of ['sha', 'ref', 'workflow', 'action', 'actor', 'job']) this[name] = env['GITHUB_' + name.toUpperCase()]
    this.runAttempt = parseInt(env.GITHUB_RUN_ATTEMPT, 10)
    this.runNumber = parseInt(env.GITHUB_RUN_NUMBER, 10)
    this.runId = parseInt(env.GITHUB_RUN_ID, 10)
    this.apiUrl = env.GITHUB_API_URL || 'https://api.github.com'
    this.serverUrl = env.GITHUB_SERVER_URL || 'https://github.com'
    this.graphqlUrl = env.GITHUB_GRAPHQL_URL || 'https://api.github.com/graphql'
  }
  get issue() { return { ...this.repo, number: (this.payload.issue || this.payload.pull_request || this.payload).number } }
  get repo() {
    const [owner, repo] = (env.GITHUB_REPOSITORY || '/').split('/')
    return { owner, repo }
  }
}

// places are where packages may be: the repository, NODE_PATH, and what is installed for all.
function places() {
  const out = []
  for (let dir = process.cwd(); ; dir = path.dirname(dir)) {
    out.push(path.join(dir, 'node_modules'))
    if (path.dirname(dir) === dir) break
  }
  out.push(...(env.NODE_PATH || '').split(path.delimiter).filter(Boolean))
  const prefix = path.dirname(path.dirname(fs.realpathSync(process.execPath)))
  out.push(path.join(prefix, 'lib', 'node_modules'), '/usr/local/lib/node_modules', '/usr/share/nodejs')
  return out
}

function entry(exported) {
  if (typeof exported === 'string') return exported
  if (!exported || typeof exported !== 'object') return undefined
  if (exported['.'] !== undefined) return entry(exported['.'])
  return entry(exported.node) || entry(exported.import) || entry(exported.default) || entry(exported.require)
}

// load finds a package, whatever kind of module it is.
async function load(name) {
  for (const place of places()) {
    const dir = path.join(place, name)
    const file = path.join(dir, 'package.json')
    if (!fs.existsSync(file)) continue
    const info = JSON.parse(fs.readFileSync(file, 'utf8'))
    const loaded = await import(pathToFileURL(path.join(dir, entry(info.exports) || info.main || 'index.js')).href)
    return loaded.default && Object.keys(loaded).length <= Object.keys(loaded.default).length + 2 ? loaded.default : loaded
  }
  return undefined
}

// absent stands for a package that is not here, and says so when the script uses it.
function absent(argument, name, lacks = `needs the npm package ${name}, which is not on this machine: install it in the repository or in a folder of NODE_PATH`) {
  const why = () => new Error(`${argument} ${lacks} [SL1797]`)
  return new Proxy(function () {}, {
    get(_, property) {
      if (property === 'then' || typeof property === 'symbol') return undefined
      throw why()
    },
    apply() { throw why() }
  })
}

async function client(context) {
  const lib = await load('@actions/github')
  if (!lib) return { github: absent('github', '@actions/github'), getOctokit: absent('getOctokit', '@actions/github') }
  const options = { log: input('debug') === 'true' ? console : undefined, userAgent: input('user-agent') || undefined }
  if (input('previews')) options.previews = input('previews').split(',').map(p => p.trim())
  if (input('base-url')) options.baseUrl = input('base-url')
  const plugins = []
  const retry = await load('@octokit/plugin-retry')
  const retries = parseInt(input('retries') || '0', 10)
  if (retry && retries > 0) {
    plugins.push(retry.retry)
    const codes = input('retry-exempt-status-codes') || '400,401,403,404,422'
    options.retry = { doNotRetry: codes.split(',').map(c => parseInt(c, 10)) }
    options.request = { retries }
  }
  const token = input('github-token')
  const github = token ? lib.getOctokit(token, options, ...plugins) : absent('github', undefined, 'needs the input github-token, which is empty')
  return { github, getOctokit: (t, o, ...p) => lib.getOctokit(t, { ...options, ...o }, ...plugins, ...p), context: lib.context }
}

async function main() {
  const core = (await load('@actions/core')) || ownCore
  const { github, getOctokit, context } = await client()
  const given = {
    core, github, octokit: github, getOctokit, context: context || new ownContext(), process, console,
    exec: (await load('@actions/exec')) || absent('exec', '@actions/exec'),
    glob: (await load('@actions/glob')) || absent('glob', '@actions/glob'),
    io: (await load('@actions/io')) || absent('io', '@actions/io'),
    require: createRequire(path.join(process.cwd(), 'github-script.js')),
    __original_require__: require
  }
  const names = Object.keys(given)
  const AsyncFunction = Object.getPrototypeOf(async () => null).constructor
  const result = await new AsyncFunction(...names, input('script'))(...names.map(n => given[n]))
  const encoding = input('result-encoding') || 'json'
  if (encoding !== 'json' && encoding !== 'string') throw new Error('"result-encoding" must be either "string" or "json"')
  core.setOutput('result', encoding === 'json' ? JSON.stringify(result) : String(result))
}

function fail(err) {
  console.error(err)
  ownCore.setFailed('Unhandled error: ' + err)
}

process.on('unhandledRejection', fail)
main().catch(fail)
