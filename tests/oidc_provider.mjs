// An OIDC provider for tests: node oidc_provider.mjs MODULES PORT REDIRECT
import { pathToFileURL } from "node:url";

const [modules, port, redirect] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "oriole", client_secret: "of the test", redirect_uris: [redirect],
    grant_types: ["authorization_code"], response_types: ["code"],
  }],
  pkce: { required: () => true },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  claims: { openid: ["sub"] },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
