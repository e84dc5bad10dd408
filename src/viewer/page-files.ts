import { readPageFile } from '../io/page-files.ts'
import type { PageFile } from './viewer.ts'

const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'

/** Modules of the page, by the paths that their imports lead to: below `dist`. */
const MODULES = [
  'explain/words.js',
  ...[
    'activity',
    'api',
    'charts',
    'dom',
    'filters',
    'login',
    'main',
    'route',
    'rows',
    'span-details',
    'times',
    'trace-list',
    'trace-page',
    'waterfall',
    'words',
  ].map((name) => `viewer/page/${name}.js`),
]

/** The page and all it loads, held in memory: no request ever names a file. Throws where the program was not built whole. */
export async function readPageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const files: readonly (readonly [path: string, type: string, file: string])[] = [
    ['/', 'text/html; charset=utf-8', 'dist:viewer/page/index.html'],
    ['/viewer.css', STYLE, 'dist:viewer/page/viewer.css'],
    ['/uPlot.esm.js', SCRIPT, 'package:uplot/dist/uPlot.esm.js'],
    ['/uPlot.min.css', STYLE, 'package:uplot/dist/uPlot.min.css'],
    ...MODULES.map((name) => [`/${name}`, SCRIPT, `dist:${name}`] as const),
  ]
  return new Map(
    await Promise.all(
      files.map(
        async ([path, type, file]) => [path, { type, body: await readPageFile(file) }] as const,
      ),
    ),
  )
}
