import { defineConfig } from 'vite';

export default defineConfig({
  publicDir: false,
  // The folder is our own fresh one, and Vite would rather not empty what lies outside its root.
  build: {
    emptyOutDir: false, target: 'es2022',
    // Everything is a file with a hash in its name: the page's policy allows no inline code, and no data: but pictures.
    assetsInlineLimit: 0, modulePreload: { polyfill: false },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
});
