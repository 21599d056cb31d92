// A client of the services as actions are: it uses the official packages and prints what it saw as JSON lines.
// client.mjs PACKAGES VERB FOLDER
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [packages, verb, folder] = process.argv.slice(2)
const load = name => import(pathToFileURL(path.join(packages, 'node_modules', name)).href)
const say = (what, value) => process.stdout.write('@@' + JSON.stringify({ what, value }) + '\n')
const sum = file => createHash('sha256').update(fs.readFileSync(file)).digest('hex')
const tree = dir => fs.readdirSync(dir, { recursive: true, withFileTypes: true }).filter(e => e.isFile())
  .map(e => path.relative(dir, path.join(e.parentPath ?? e.path, e.name))).sort()
const failure = async f => { try { await f(); return '' } catch (e) { return e.message } }
const artifacts = async () => {
  const lib = process.env.OLDER ? await load('artifact-v2/lib/artifact.js') : await load('@actions/artifact/lib/artifact.js')
  const client = lib.DefaultArtifactClient ? new lib.DefaultArtifactClient() : new lib.default.DefaultArtifactClient()
  return client
}
const caches = async () => {
  const lib = process.env.OLDER ? await load('cache-v4/lib/cache.js') : await load('@actions/cache/lib/cache.js')
  return lib.saveCache ? lib : lib.default
}

const verbs = {
  async artifacts () {
    const client = await artifacts()
    const files = tree(folder).map(f => path.join(folder, f))
    const made = await client.uploadArtifact('several', files, folder, { retentionDays: 3, compressionLevel: 0 })
    say('uploaded', made)
    say('again', await failure(() => client.uploadArtifact('several', files, folder)))
    const list = await client.listArtifacts()
    say('list', list.artifacts)
    const { artifact } = await client.getArtifact('several')
    say('get', artifact)
    const to = path.join(folder, '..', 'got-' + (process.env.OLDER ?? 'new'))
    const down = await client.downloadArtifact(artifact.id, { path: to, expectedHash: 'sha256:' + made.digest })
    say('mismatch', down.digestMismatch ?? false)
    say('same', tree(to).map(f => sum(path.join(to, f)) === sum(path.join(folder, f))))
    const native = await client.getArtifact('native')
    const into = to + '-native'
    const other = await client.downloadArtifact(native.artifact.id, { path: into, expectedHash: native.artifact.digest })
    say('native', { mismatch: other.digestMismatch ?? false, files: tree(into), text: fs.readFileSync(path.join(into, 'out', 'a.txt'), 'utf8') })
    say('missing', await failure(() => client.getArtifact('nobody')))
    say('bad name', await failure(() => client.uploadArtifact('a/b', files, folder)))
    say('deleted', await client.deleteArtifact('several'))
    say('left', (await client.listArtifacts()).artifacts.map(a => a.name))
    say('once more', (await client.uploadArtifact('several', files.slice(0, 1), folder)).id > made.id)
  },
  async raw () {
    const client = await artifacts()
    const made = await client.uploadArtifact('ignored', [path.join(folder, 'größe.txt')], folder, { skipArchive: true })
    const { artifact } = await client.getArtifact('größe.txt')
    const to = path.join(folder, '..', 'raw')
    const down = await client.downloadArtifact(artifact.id, { path: to, expectedHash: artifact.digest })
    say('raw', { mismatch: down.digestMismatch, files: tree(to), text: fs.readFileSync(path.join(to, 'größe.txt'), 'utf8'), same: artifact.id === made.id })
  },
  async cache () {
    const cache = await caches()
    process.chdir(folder)
    say('saved', await cache.saveCache(['data', 'sub/*.txt'], 'deps-linux-1'))
    say('refused', await cache.saveCache(['data', 'sub/*.txt'], 'deps-linux-1'))
    say('second', await cache.saveCache(['data', 'sub/*.txt'], 'deps-linux-22'))
  },
  async restore () {
    const cache = await caches()
    process.chdir(folder)
    const paths = ['data', 'sub/*.txt']
    say('nothing', await cache.restoreCache(paths, 'other', ['more']) ?? null)
    say('other paths', await cache.restoreCache(['data'], 'deps-linux-1') ?? null)
    say('look', await cache.restoreCache(paths, 'deps-linux-1', [], { lookupOnly: true }) ?? null)
    say('not yet', tree(folder))
    say('exact', await cache.restoreCache(paths, 'deps-linux-1', ['deps-']))
    say('files', tree(folder))
    say('prefix', await cache.restoreCache(paths, 'deps-linux-3', ['nope-', 'deps-']))
    say('own prefix', await cache.restoreCache(paths, 'deps-linux-2'))
  },
  async azure () { // what the cache package does with addresses of Azure's own: ranges in parallel
    const { BlockBlobClient } = await load('@azure/storage-blob/dist/esm/index.js')
    const cache = await load('@actions/cache/lib/internal/shared/cacheTwirpClient.js')
    const rpc = cache.internalCacheTwirpClient()
    const body = fs.readFileSync(path.join(folder, 'data', 'big'))
    const made = await rpc.CreateCacheEntry({ key: 'azure', version: 'v' })
    const up = new BlockBlobClient(made.signedUploadUrl)
    await up.uploadFile(path.join(folder, 'data', 'big'), { blockSize: 1 << 20, maxSingleShotSize: 1 << 10, concurrency: 4 })
    const done = await rpc.FinalizeCacheEntryUpload({ key: 'azure', version: 'v', sizeBytes: String(body.length) })
    const found = await rpc.GetCacheEntryDownloadURL({ key: 'azure', version: 'v', restoreKeys: [] })
    const down = new BlockBlobClient(found.signedDownloadUrl)
    const size = (await down.getProperties()).contentLength
    const got = await down.downloadToBuffer(0, size, { blockSize: 1 << 20, concurrency: 3 })
    say('azure', { ok: done.ok, size, same: got.equals(body), part: (await down.downloadToBuffer(7, 100)).equals(body.subarray(7, 107)) })
  },
  async token () {
    const core = await load('@actions/core/lib/core.js')
    say('token', await core.getIDToken('https://vault.example'))
    say('default', await core.getIDToken())
  }
}
await verbs[verb]()
