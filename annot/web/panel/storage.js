// Browser storage that never throws (it can be full, or forbidden), and random ids that also work without HTTPS.

export function read(storage, key, fallback = null) {
  try {
    const text = storage.getItem(key);
    return text === null ? fallback : JSON.parse(text);
  } catch {
    return fallback;
  }
}

/** Store a value as JSON. Returns whether it was kept. */
export function write(storage, key, value) {
  try {
    storage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

export function forget(storage, key) {
  try {
    storage.removeItem(key);
  } catch {
    // Forbidden storage holds nothing that could be forgotten.
  }
}

export function keysWith(storage, prefix) {
  try {
    return Array.from({ length: storage.length }, (_, index) => storage.key(index)).filter((key) => key.startsWith(prefix));
  } catch {
    return [];
  }
}

/** 128 random bits as hex. (crypto.randomUUID is missing on plain http://, where small teams run Annot.) */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** window.localStorage or window.sessionStorage, or a stand-in for this page's life where the browser forbids it. */
export function storageOf(name) {
  try {
    const storage = window[name];
    storage.getItem("annot");
    return storage;
  } catch {
    const kept = new Map();
    return {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => kept.set(key, value),
      removeItem: (key) => kept.delete(key),
      key: (index) => [...kept.keys()][index],
      get length() {
        return kept.size;
      },
    };
  }
}
