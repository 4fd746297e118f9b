// Older routers have no types; these tests use the part that @koa/router shares.
declare module 'koa-router7' {
  export { Router as default } from '@koa/router';
}
declare module 'koa-router14' {
  export { Router as default } from '@koa/router';
}
declare module '@koa/router12' {
  export { Router as default } from '@koa/router';
}
