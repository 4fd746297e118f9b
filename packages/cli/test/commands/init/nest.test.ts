import { describe, expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';
import type { Application } from '../../../src/commands/init/application.js';
import { planEdits } from '../../../src/commands/init/edits.js';
import { findNestRoutes } from '../../../src/commands/init/find-nest-routes.js';
import { findRootModule, withModule } from '../../../src/commands/init/nest-edits.js';

const routesOf = (text: string) => findNestRoutes([{ path: 'src/orders.controller.ts', text }]);
const namesOf = (text: string) =>
  routesOf(text).map(
    ({ method, path, action, isPermitted }) => `${method} ${path} ${action}${isPermitted ? ' +' : ''}`,
  );

it('none of several applications of NestJS has the root module', () => {
  const module = { path: 'src/app.module.ts', text: '@Module({ imports: [] })\nexport class AppModule {}\n' };
  const main = { path: 'src/main.ts', text: 'const app = await NestFactory.create(AppModule);\n' };
  expect(findRootModule([module, main])).toBe(module);
  expect(findRootModule([module, main, { ...main, path: 'apps/admin/main.ts' }])).toBeUndefined();
});

describe('the routes of NestJS', () => {
  it('have the path of their controller before their own', () => {
    expect(
      namesOf(`
@Controller('orders')
class A {
  @Get() list() {}
  @Get(':id')
  read() {}
  @Post("/:id/notes")
  note() {}
}
@Controller({ version: '1', path: 'shops' })
class B {
  @Delete(':id') remove() {}
}
@Controller()
class C {
  @Get() root() {}
  @Get('items') items() {}
}`),
    ).toEqual([
      'GET /orders order.read',
      'GET /orders/:id order.read',
      'POST /orders/:id/notes note.create',
      'DELETE /shops/:id shop.delete',
      'GET / root.read',
      'GET /items item.read',
    ]);
  });

  it('have the source of their own method only', () => {
    const text = `
@Controller('orders')
class A {
  @Get()
  @Roles('clerk')
  list(@Query() { page }: { page: number }) {
    return this.orders.filter(() => {
      return page;
    });
  }

  #secret() {}
  @Get('a') a() {}
  @Get('b') b() {
  }
}`;
    expect(routesOf(text).map(({ handler }) => handler)).toEqual([
      expect.stringMatching(/^@Get\(\)[^]*return page;\n {4}\}\);$/),
      "@Get('a') a() {}\n  ",
      "@Get('b') b() {",
    ]);
  });

  it('are those with a literal path, in a controller, outside of comments', () => {
    expect(namesOf("@Get('early')\nclass X {}\n@Controller(prefix)\nclass A {\n  @Get('a') a() {}\n}")).toEqual([]);
    const some = "@Controller('a')\nclass A {\n  // @Get('x')\n  @Get(path) b() {}\n  @Get(['c', 'd']) c() {}\n}";
    expect(namesOf(some)).toEqual([]);
    const second = "@Controller('a')\nclass A {}\n@Controller(prefix)\nclass B {\n  @Get('b') b() {}\n}";
    expect(namesOf(second)).toEqual([]);
  });

  it('keep a permit that they have, before or after other decorators', () => {
    const text = `
@Controller('orders')
class A {
  @Get(':id')
  @HttpCode(200)
  @Permit('order.read', order)
  read() {}

  @Permit('order.read', { type: 'Order', id: '*' })
  @Get()
  list() {}

  @Post()
  add() {}
}`;
    expect(namesOf(text)).toEqual([
      'GET /orders/:id order.read +',
      'GET /orders order.read +',
      'POST /orders order.create',
    ]);
  });
});

it('a permit stays with its method, also where decorator and method stand on one line [D8]', () => {
  const text = `@Controller('orders')
class A {
  @Get() list() { return []; }
  @Delete(':id') remove() {}
  @Get(':id')
  read(@Param('id') id: string) { return find(id); }
}
`;
  const source = { path: 'src/orders.controller.ts', text };
  const routes = findNestRoutes([source]).filter(({ method }) => method === 'GET');
  const application = { framework: 'nestjs', esm: false } as Application;
  const root = { path: 'src/app.module.ts', text: '@Module({})\nexport class AppModule {}' };
  const applications = { roots: [], mounted: [] };
  const {
    edited: [edited],
  } = planEdits([source, root], routes, routes, { application, applications, guardPath: 'src/guard.ts' });
  const code = edited?.lines.map(({ after }) => after).join('\n');
  expect(code).toMatch(/^ {2}@Get\(\) @Permit\('order\.read', .+\) list\(\)/m);
  expect(code).toMatch(/^ {2}@Get\(':id'\)\n {2}@Permit\('order\.read', .+\)\n {2}read\(/m);
  expect(code).toMatch(/^ {2}@Delete\(':id'\) remove\(\)/m);
  expect(code?.match(/@Permit/g)).toHaveLength(2);
});

describe('the root module of NestJS', () => {
  it('is the one that the application is created of', () => {
    const root = { path: 'src/root.ts', text: '@Module({})\nexport class Root {}' };
    const sources = [
      { path: 'src/app.module.ts', text: '@Module({})\nexport class AppModule {}' },
      root,
      { path: 'src/main.ts', text: 'await NestFactory.create<NestFastifyApplication>(Root, new FastifyAdapter());' },
    ];
    expect(findRootModule(sources)).toBe(root);
    expect(findRootModule(sources.slice(0, 1))).toBe(sources[0]);
    expect(findRootModule([])).toBeUndefined();
  });

  const module = 'CountersignModule.forRootAsync({ useFactory: createAppGuard })';
  it.each([
    ['@Module({})', `@Module({ imports: [${module}] })`],
    ['@Module({\n  providers: [],\n})', `@Module({ imports: [${module}],\n  providers: [],\n})`],
    ['@Module({\n  imports: [],\n})', `@Module({\n  imports: [${module}],\n})`],
    ['@Module({ imports: [A, B] })', `@Module({ imports: [${module}, A, B] })`],
    ['@Module({\n  imports: [\n    A,\n  ],\n})', `@Module({\n  imports: [${module},\n    A,\n  ],\n})`],
    [
      '@Module({ imports: [] })\nclass A {}\n@Module({})',
      `@Module({ imports: [] })\nclass A {}\n@Module({ imports: [${module}] })`,
    ],
    ['', ''],
  ])('gets the module in %j', (before, after) => {
    expect(withModule(`${before}\nclass AppModule {}`, 'AppModule')).toBe(`${after}\nclass AppModule {}`);
  });

  it.each([
    'providers: [{ provide: APP_PIPE, useValue: { transform: (value) => value } }],\n  ',
    "providers: [{ provide: 'imports: [', useValue: \"it's }\" }], // imports: [Old]\n  ",
    '/* }) */ providers: [Module.register({ imports: [Config] })],\n  ',
  ])('gets it into its own list of imports behind %j [G3]', (members) => {
    const text = (added: string): string => `@Module({\n  ${members}imports: [${added}A],\n})\nclass AppModule {}`;
    expect(withModule(text(''), 'AppModule')).toBe(text(`${module}, `));
  });

  it.each([
    'imports: modules',
    'imports',
    'get imports() { return []; }',
    'providers: [A], ...base',
    "providers: [{ useValue: /'/ }], imports: [A], exports: [/'/]",
    'providers: [`',
  ])('is left to a person if it has its imports otherwise: %j [G3]', (members) => {
    const text = `@Module({ ${members} })\nclass AppModule {}`;
    expect(findRootModule([{ path: 'src/app.module.ts', text }])).toBeUndefined();
    expect(withModule(text, 'AppModule')).toBe(text);
  });
});

const { put, init, read, path } = inFolder();

it('init decorates the methods of NestJS that are for agents, whatever the order of agent-routes.txt [D7]', async () => {
  const controller = `@Controller('items')
class Items {
  @Post()
  create() {}
  @Delete(':id')
  remove() {}
  @Get(':id')
  one(@Param('id') id: string) { return find(id); }
}
`;
  await put({
    'package.json': manifest('@nestjs/core', '@nestjs/platform-express'),
    'src/app.module.ts': '@Module({})\nexport class AppModule {}\n',
    'src/main.ts': 'const app = await NestFactory.create(AppModule);\n',
    'src/items.ts': controller,
    'agent-routes.txt': 'GET /items/:id item.read Item\nPOST /items item.create Item\n',
  });
  const { out } = await init();
  const lines = out.split('\n').filter((line) => /^[+ ]  /.test(line));
  const decorated = lines.flatMap((line, at) => (line.includes('@Permit') ? [`${line} ${lines[at + 1]}`] : []));
  expect(decorated.map((line) => line.replaceAll(/\s+/g, ' '))).toEqual([
    expect.stringMatching(/^\+ @Permit\('item\.create'.* create\(\) \{\}$/),
    expect.stringMatching(/^\+ @Permit\('item\.read'.* one\(/),
  ]);
});

it('init says on NestJS that a global prefix and a version belong before the path of the first call', async () => {
  const files = {
    'src/app.module.ts': '@Module({})\nexport class AppModule {}\n',
    'src/orders.ts': "@Controller('orders')\nclass Orders {\n  @Get()\n  list() {}\n}\n",
  };
  const main = "const app = await NestFactory.create(AppModule);\napp.setGlobalPrefix('api');\n";
  await put({ 'package.json': manifest('@nestjs/core', '@nestjs/platform-express'), ...files, 'src/main.ts': main });
  expect((await init()).err).toContain('a signed request (with the global prefix and the version before the path):');
});

it('init opens no route where modules have paths, and leaves chosen ones to a person', async () => {
  const routes = "[{ path: 'admin', module: AdminModule }, { path: 'shops/:shop', module: ShopModule }]";
  const files = {
    'package.json': manifest('@nestjs/core', '@nestjs/platform-express'),
    'tsconfig.json': '{}',
    'src/app.module.ts': `@Module({ imports: [AdminModule, RouterModule.register(${routes})] })\nexport class AppModule {}\n`,
    'src/orders.ts':
      "@Controller('orders')\nclass Orders {\n  @Get(':id')\n  read(@Param('id') id: string) {\n    return find(id);\n  }\n}\n",
  };
  await put(files);
  expect((await init()).out).not.toContain('@Permit(');
  expect(await read('agent-routes.txt')).toContain('# GET /orders/:id ');
  await put({ 'list.txt': 'GET /orders/:id order.read Order\n' });
  const { out, err } = await init('--routes', path('list.txt'));
  expect(out).not.toContain('@Permit(');
  expect(err).toContain('Put a permit by hand: GET /orders/:id in src/orders.ts:');
});
