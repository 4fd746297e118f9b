// Older routers have no types of their own; what these tests use of them is that of @koa/router.
declare module 'koa-router7' {
  export { Router as default } from '@koa/router';
}
declare module 'koa-router14' {
  export { Router as default } from '@koa/router';
}
declare module '@koa/router12' {
  export { Router as default } from '@koa/router';
}
