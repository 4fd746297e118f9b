import { expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init } = inFolder();

it.each([
  ["app.get('/items/:id', (req, res) => { res.json(find(Number(req.params.id))); });", "Number(req.params['id'])"],
  ["app.get('/items/:id', (req, res) => { res.json(find(+req.params.id || 0)); });", "Number(req.params['id'])"],
  [
    "app.get('/items/:id', (req, res) => { const { id } = req.params; res.json(find(+id)); });",
    "Number(req.params['id'])",
  ],
  [
    "app.get('/items/:id', (req, res) => { res.json(find(parseInt(req.params['id'], 10))); });",
    "parseInt(String(req.params['id']), 10)",
  ],
  [
    "app.get('/items/:id', (req, res) => { res.json(find(Number.parseInt(req.params.id as string))); });",
    "Number.parseInt(String(req.params['id']))",
  ],
  [
    "app.get('/items/:id', (req, res) => { res.json(find(BigInt(req.params.id))); });",
    "BigInt(String(req.params['id']))",
  ],
  [
    "app.get('/items/:id', (req, res) => { res.json(find(req.params.id, Number(req.query.id))); });",
    "req.params['id']",
  ],
  ["app.get('/items/:id', show);\napp.post('/x', (req) => Number(req.params.id));", "req.params['id']"],
])('init names the resource by the value that the handler uses: %s', async (route, id) => {
  await put({
    'package.json': manifest('express'),
    'tsconfig.json': '{}',
    'app.ts': `const app = express();\n${route}\n`,
  });
  expect((await init()).out).toContain(`permit('item.read', (req) => ({ type: 'Item', id: ${id} }))`);
});

it.each([
  ["read(@Param('id', ParseIntPipe) id: number) {}", true],
  ["read(@Param('id', new ParseIntPipe({})) id) {}", true],
  ["read(@Param('id') id: number) {}", true],
  ["read(@Param('id') id: string) { return this.items.find(+id); }", true],
  ["read(@Param('id') id: string) { return this.items.find(id); }", false],
])('init does so on NestJS: %s', async (method, isNumber) => {
  await put({
    'package.json': manifest('@nestjs/core', '@nestjs/platform-express'),
    'tsconfig.json': '{}',
    'src/app.module.ts': '@Module({})\nexport class AppModule {}\n',
    'src/items.ts': `@Controller('items')\nclass Items {\n  @Get(':id')\n  ${method}\n}\n`,
  });
  const value = "request.params['id']";
  expect((await init()).out).toContain(`type: 'Item', id: ${isNumber ? `Number(${value})` : value} })`);
});
