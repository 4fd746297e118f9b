/** What the tests use of multer, which brings no types. */
declare module 'multer' {
  import type { RequestHandler } from 'express';

  export default function multer(options: { readonly dest: string }): { single(field: string): RequestHandler };
}
