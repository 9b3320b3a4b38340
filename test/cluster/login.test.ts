import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as jwt from "@nats-io/jwt";
import { afterEach, describe, expect, test, vi } from "vitest";
import { joinCluster, natsPort } from "../../src/cluster/join.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { during, tuned } from "./run.ts";
import { hasServer, needsServer, startServer, type TestServer } from "./server.ts";

const folder = mkdtempSync(join(tmpdir(), "login-"));
const file = (name: string): string => join(folder, name);
const written = (name: string, text: string | Uint8Array): string => {
  writeFileSync(file(name), text);
  return file(name);
};

type Login = Readonly<Partial<Record<"NATS_TOKEN" | "NATS_CREDS" | "NATS_CA" | "NATS_CERT" | "NATS_KEY", string>>>;

/** "in" where the server lets in who logs in so, and otherwise what the error says. */
async function joined(url: string, login: Login = {}): Promise<string> {
  for (const [name, value] of Object.entries(login)) vi.stubEnv(name, value);
  try {
    const port = await natsPort(url);
    await port.offers();
    await port.close();
    return "in";
  } catch (error) {
    expect((error as Error).name).toBe("KitError");
    return (error as Error).message;
  } finally {
    vi.unstubAllEnvs();
  }
}

async function on(options: readonly string[], body: (server: TestServer) => Promise<void>): Promise<void> {
  const server = await startServer(options);
  try {
    await body(server);
  } finally {
    await server.kill();
  }
}

afterEach(() => vi.unstubAllEnvs());

const REFUSED = /^The cluster at nats:\/\/127\.0\.0\.1:\d+ was to be joined, but its server refused the login/;

describe.skipIf(!hasServer)(`who joins a cluster says who it is${needsServer}`, () => {
  test("by a token, in NATS_TOKEN or in the address", () =>
    on(["--auth", "s3cret"], async ({ url }) => {
      expect(await joined(url, { NATS_TOKEN: "s3cret" })).toBe("in");
      expect(await joined(url.replace("//", "//s3cret@"))).toBe("in");
      for (const wrong of [joined(url), joined(url.replace("//", "//geheim@"))]) expect(await wrong).toMatch(REFUSED);
      const refused = await joined(url, { NATS_TOKEN: "geheim" });
      expect(refused).toMatch(REFUSED);
      expect(refused).toContain("set NATS_CREDS or NATS_TOKEN");
      expect(refused).not.toContain("geheim");
    }));

  test("by a user and password, with what an address has letters of its own for", () =>
    on(["--user", "ann", "--pass", "p@ss/w"], async ({ url }) => {
      expect(await joined(url.replace("//", "//ann:p%40ss%2Fw@"))).toBe("in");
      const refused = await joined(url.replace("//", "//ann:geheim@"));
      expect(refused).toMatch(REFUSED);
      expect(refused).not.toMatch(/geheim|ann/);
    }));

  test("by the credentials file of an account's user, which a stranger's and an old one are not", async () => {
    const [operator, user] = [jwt.createOperator(), jwt.createUser()];
    const [account, system, stranger] = [jwt.createAccount(), jwt.createAccount(), jwt.createAccount()];
    const [accountId, systemId] = [account.getPublicKey(), system.getPublicKey()];
    const all = {
      disk_storage: -1,
      mem_storage: -1,
      streams: -1,
      consumer: -1,
      conn: -1,
      subs: -1,
      data: -1,
      payload: -1,
    };
    const limits = { ...all, exports: -1, imports: -1, leaf: -1, wildcards: true };
    const accounts = {
      [accountId]: await jwt.encodeAccount("mezo", account, { limits }, { signer: operator }),
      [systemId]: await jwt.encodeAccount("SYS", system, {}, { signer: operator }),
    };
    const settings = {
      operator: await jwt.encodeOperator("kit", operator, { system_account: systemId }),
      system_account: systemId,
      resolver: "MEMORY",
      resolver_preload: accounts,
    };
    const config = written("operator.conf", JSON.stringify(settings));
    const credentials = async (name: string, by: jwt.KeyPair, exp?: number): Promise<string> =>
      written(name, jwt.fmtCreds(await jwt.encodeUser("worker", user, by, {}, exp ? { exp } : {}), user));
    const own = await credentials("own.creds", account);
    const others = [await credentials("stranger.creds", stranger), await credentials("old.creds", account, 1000)];
    const alone = await tuned(mezo({ lr: 1e-3, eps: 1e-2 }), { microBatchSize: 4 });
    await on(["-c", config], async ({ url }) => {
      expect(await joined(url)).toMatch(REFUSED);
      for (const other of others) expect(await joined(url, { NATS_CREDS: other })).toMatch(REFUSED);
      vi.stubEnv("NATS_CREDS", own);
      const [port, cluster] = [await natsPort(url), await joinCluster(url, { shards: 2 })];
      expect(await during([port], () => tuned(mezo({ lr: 1e-3, eps: 1e-2 }), { cluster }))).toEqual(alone);
      for (const one of [port, cluster]) await one.close();
    });
  });
});

const openssl = (...args: string[]): boolean => spawnSync("openssl", args, { cwd: folder }).status === 0;
const hasOpenssl = openssl("version");

/** An authority's certificate, or that of a server or a client of this machine, which the authority signs; each a file beside its key. */
function makeCertificate(name: string, authority?: string): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${name}.key`];
  const request = ["req", ...key, "-subj", `/CN=${name}`];
  if (authority === undefined) return void openssl(...request, "-x509", "-days", "2", "-out", `${name}.pem`);
  openssl(...request, "-out", `${name}.csr`);
  const names = written("names", `subjectAltName=IP:127.0.0.${name === "elsewhere" ? 2 : 1}\n`);
  const by = ["-CA", `${authority}.pem`, "-CAkey", `${authority}.key`, "-CAcreateserial", "-extfile", names];
  openssl("x509", "-req", "-in", `${name}.csr`, ...by, "-days", "2", "-out", `${name}.pem`);
}

describe.skipIf(!hasServer || !hasOpenssl)(
  `a cluster with TLS is joined${hasServer && !hasOpenssl ? " (Debian: openssl is not here)" : needsServer}`,
  () => {
    if (hasServer && hasOpenssl) {
      for (const authority of ["ours", "theirs"]) makeCertificate(authority);
      for (const name of ["server", "client", "elsewhere"]) makeCertificate(name, "ours");
    }
    const tls = (url: string): string => url.replace("nats:", "tls:");
    const withKey = (name: string): string[] => ["--tlscert", file(`${name}.pem`), "--tlskey", file(`${name}.key`)];
    const trusting: Login = { NATS_CA: file("ours.pem") };
    const untrusted = /but its certificate is not to be trusted \(.*\): set NATS_CA to the file of the authority/;

    test("by who trusts the authority of its certificate, and is left alone by others", () =>
      on(["--tls", ...withKey("server")], async ({ url }) => {
        expect(await joined(tls(url), trusting)).toBe("in");
        expect(await joined(url, trusting)).toBe("in");
        for (const login of [{}, { NATS_CA: file("theirs.pem") }])
          expect(await joined(tls(url), login)).toMatch(untrusted);
        expect(await joined(url)).toMatch(untrusted);
      }));

    test("only where the certificate names the address", () =>
      on(["--tls", ...withKey("elsewhere")], async ({ url }) => {
        expect(await joined(tls(url), trusting)).toMatch(untrusted);
      }));

    test("by certificates of clients where it asks for them", () =>
      on(["--tlsverify", ...withKey("server"), "--tlscacert", file("ours.pem")], async ({ url }) => {
        const own = { NATS_CERT: file("client.pem"), NATS_KEY: file("client.key") };
        expect(await joined(tls(url), { ...trusting, ...own })).toBe("in");
        expect(await joined(tls(url), trusting)).toMatch(
          /where it asks for certificates, set NATS_CERT and NATS_KEY\.$/,
        );
      }));

    test("by no one in plain text: an address of tls:// is refused where the server has none", () =>
      on([], async ({ url }) => {
        expect(await joined(tls(url), trusting)).toMatch(/does not support 'tls'.*\(nats:\/\/ of one without TLS\)/);
      }));

    const notThat =
      /^NATS_CA is to name the certificate of an authority, and NATS_CERT and NATS_KEY a certificate and its key/;
    test.each<[string, Login, RegExp]>([
      ["an authority that is none", { NATS_CA: file("server.key") }, notThat],
      ["a certificate without its key", { NATS_CERT: file("client.pem") }, notThat],
      [
        "a certificate with the key of another",
        { NATS_CERT: file("client.pem"), NATS_KEY: file("server.key") },
        notThat,
      ],
    ])("with %s it is not even asked", async (_what, login, why) => {
      expect(await joined("tls://127.0.0.1:4222", login)).toMatch(why);
    });
  },
);

describe("before any server is asked, a sentence refuses", () => {
  test.each<[string, string, Login, RegExp]>([
    [
      "a file that is not there",
      "nats://host",
      { NATS_CREDS: file("none") },
      /^NATS_CREDS names .*none, which cannot be read/,
    ],
    [
      "credentials that are none",
      "nats://host",
      { NATS_CREDS: written("text", "s3cret") },
      /^NATS_CREDS names a file that has no/,
    ],
    ["a password that is not written for addresses", "nats://ann:s3cret%zz@host", {}, /^"nats:\/\/host" is no address/],
    ["an address with a slash in its password", "nats://ann:s3/cret@host", {}, /^"nats:\/\/host" is no address/],
  ])("%s, and does not tell what is secret", async (_what, url, login, why) => {
    const refused = await joined(url, login);
    expect(refused).toMatch(why);
    expect(refused).not.toMatch(/s3|ann:/);
  });
});
