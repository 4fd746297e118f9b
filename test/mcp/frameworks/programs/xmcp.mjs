// A server of xmcp is a folder with one file for each tool, and compiled.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tools } from './tools.mjs';

mkdirSync('src/tools', { recursive: true });
for (const name of Object.keys(tools)) {
  const code = [
    `import { run, tools } from '../../tools.mjs';`,
    `export const schema = tools.${name}.shape;`,
    `export const metadata = { name: '${name}', description: '${name}' };`,
    `export default async () => run('${name}');`,
  ];
  writeFileSync(`src/tools/${name}.ts`, code.join('\n'));
}
const config = {
  http: { port: Number(process.env.PORT) },
  paths: { tools: './src/tools', prompts: false, resources: false },
  typescript: { skipTypeCheck: true },
};
writeFileSync('xmcp.config.ts', `export default ${JSON.stringify(config)};`);
execFileSync(process.execPath, ['node_modules/xmcp/dist/cli.js', 'build'], { stdio: 'inherit' });
await import('./dist/http.js');
