/** Addresses, ports and TLS, and who may call the API. */
import type { Draft } from "./draft.ts";
import type { Setting } from "./settings.ts";
import { integerOf, isOn, textOf } from "./values.ts";

/** What an address of nothing means upstream. */
const EVERY_ADDRESS = "0.0.0.0";
const DEFAULT_PORT = 8000;
const API_PORT = 9000;

export function translateListeners(draft: Draft): void {
  const at = (key: string) => draft.at(`http_server.${key}`);
  const port = integerOf(at("port")?.value ?? DEFAULT_PORT) ?? DEFAULT_PORT;
  const host = textOf(at("address")) || EVERY_ADDRESS;
  const internalPort = integerOf(textOf(at("internal_port")));
  const internalHost = textOf(at("internal_address")) || host;
  const apart = internalPort !== undefined && internalPort !== port;
  const disabled = isOn(draft.at("http_api.disabled"));
  draft.file["clients"] = { host, port, ...tlsOf(draft, "tls", "clients") };
  if (apart) {
    const own = isOn(at("internal_tls.enabled")) ? "internal_tls" : "tls";
    const tls = own === "tls" && isOn(at("tls_external")) ? {} : tlsOf(draft, own, "api");
    const on_clients = isOn(draft.at("http_api.external")) && !disabled;
    draft.file["api"] = { host: internalHost, port: internalPort, ...tls, on_clients };
  } else {
    const own = port === API_PORT ? API_PORT + 1 : API_PORT;
    draft.file["api"] = { host: "127.0.0.1", port: own, on_clients: !disabled };
    if (!disabled) {
      draft.notes.differs(
        `calls of the API are answered on port ${port} as before, and on 127.0.0.1:${own} as well; a body has at most 1 MiB on the former`,
      );
    }
  }
  if (disabled) {
    draft.notes.differs(
      "the API cannot be switched off: it answers on its own port, and needs a key",
    );
  }
  if (isOn(draft.at("http_api.insecure"))) draft.table("streaming")["http_auth"] = "none";
}

/** Carillon reads certificates from files. */
function tlsOf(draft: Draft, table: string, listener: "clients" | "api"): object {
  const at = (key: string) => draft.at(`http_server.${table}.${key}`);
  if (!isOn(at("enabled"))) return {};
  for (const key of ["server_ca_pem", "client_ca_pem", "server_name", "insecure_skip_verify"]) {
    const reason = "clients and callers are asked for no certificate";
    const setting = at(key);
    if (setting !== undefined) draft.notes.none({ ...setting, reason });
  }
  return {
    tls: {
      cert: fileOf(draft, at("cert_pem"), `${listener}-cert.pem`),
      key: fileOf(draft, at("key_pem"), `${listener}-key.pem`),
    },
  };
}

/** The path that the setting names; of the text itself, one to which it has to be written. */
export function fileOf(draft: Draft, setting: Setting | undefined, name: string): string {
  const text = textOf(setting);
  if (setting === undefined || text === "") return name;
  const encoded = /^[A-Za-z0-9+/\s]{64,}={0,2}$/.test(text);
  if (!encoded && !text.includes("-----BEGIN")) return text;
  draft.notes.differs(`"${setting.written}" holds the text itself: write it to the file "${name}"`);
  return name;
}
