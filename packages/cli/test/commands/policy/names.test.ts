import { describe, expect, it } from 'vitest';
import { namesFor } from '../../../src/commands/policy/names.js';

describe('the names of a route', () => {
  it.each([
    ['GET /status', 'status.read Status'],
    ['GET /statuses/:id', 'status.read Status'],
    ['GET /series/:id', 'series.read Series'],
    ['GET /analysis', 'analysis.read Analysis'],
    ['GET /movies', 'movie.read Movie'],
    ['GET /companies', 'company.read Company'],
    ['GET /cases/:id', 'case.read Case'],
    ['GET /releases/:id', 'release.read Release'],
    ['GET /classes', 'class.read Class'],
    ['GET /addresses/:id', 'address.read Address'],
    ['GET /searches/:id', 'search.read Search'],
    ['GET /news', 'news.read News'],
    ['POST /filesystem/pathexists', 'pathexists.create Pathexists'],
  ])('keep words that are no plural in %s', (route, names) => {
    expect(named(route)).toBe(names);
  });

  it.each([
    ['POST /items/batch/delete', 'item.delete Item'],
    ['POST /items/:id/scan', 'item.scan Item'],
    ['POST /cache/purge', 'cache.purge Cache'],
    ['PATCH /orders/bulk/update', 'order.update Order'],
    ['GET /items/:id/download', 'item.read Item'],
    ['POST /upload', 'upload.create Upload'],
  ])('say what %s does', (route, names) => {
    expect(named(route)).toBe(names);
  });
});

function named(route: string): string {
  const [method = '', path = ''] = route.split(' ');
  const { action, resource } = namesFor(method, path);
  return `${action} ${resource}`;
}
