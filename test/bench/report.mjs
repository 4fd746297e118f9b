// Generates docs/benchmarks.md and its plots from test/bench/results. node test/bench/report.mjs [FOLDER]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { renderPages } from './report/page.mjs';

const docs = process.argv[2] ?? join(import.meta.dirname, '../../docs');

function read(name) {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'results', name), 'utf8'));
}

const results = ['host', 'soak', 'startup', 'mcp', 'authority'].map((name) => read(`${name}.json`));
for (const [path, text] of Object.entries(renderPages(...results))) {
  const file = join(docs, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
