/**
 * The live line of a run, opened before the page's modules are there: while the browser reads them, the server reads the
 * run. Not a module itself, so that nothing has to be waited for; `run.js` takes it over.
 */
(() => {
  const address = new URL(document.currentScript.dataset.socket, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const heard = [];
  let early = null;
  try {
    early = new WebSocket(address);
    early.onmessage = (event) => heard.push(event);
  } catch {
    // It is tried again, and said, by who takes over.
  }

  /** @returns {WebSocket} the first time the one that is open already, which then says what it has heard */
  function connect() {
    const socket = early;
    early = null;
    if (!socket || socket.readyState > WebSocket.OPEN) return new WebSocket(address);
    queueMicrotask(() => heard.splice(0).forEach((event) => socket.onmessage(event)));
    return socket;
  }

  // One module that does not come stops them all, and nobody else would say so.
  addEventListener("error", ({ target }) => {
    if (!(target instanceof HTMLScriptElement)) return;
    early?.close();
    early = null;
    document.getElementById("run")?.setAttribute("data-phase", "broken");
    document.querySelector("[data-band=broken]")?.removeAttribute("hidden");
  }, true);

  window.hatcheryLine = { address: address.href, connect };
})();
