import { createViteServer } from "vitest/node";

// Node 20 reads no TypeScript: what runs the tests reads it here too.
const server = await createViteServer({
  ...{ configFile: false, appType: "custom", logLevel: "error" },
  ...{ server: { middlewareMode: true, watch: null, hmr: false, ws: false }, optimizeDeps: { noDiscovery: true } },
});
try {
  const { main } = await server.ssrLoadModule("/test/fuzz/main.ts");
  await main(process.argv.slice(2));
} finally {
  await server.close();
}
