/** Koa 2 has the types of Koa 3, as far as the hosts go. */
declare module 'koa2' {
  export { default } from 'koa';
}
