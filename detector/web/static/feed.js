// The board's stream. It comes back by itself with the last id; a hidden tab closes it, since
// browsers allow six connections a host. After a refusal (a server that starts, or is full) a
// browser gives up: then it is asked again after a while, not by all screens at once.
const AGAIN_MS = 2000;

export function follow(address, handlers) {
  let source, again, last = "";
  const on = (name, act) => source.addEventListener(name, (event) => {
    if (event.lastEventId) last = event.lastEventId;
    act(event.data ? JSON.parse(event.data) : null);
  });
  function open() {
    clearTimeout(again);
    source?.close();
    source = new EventSource(last ? `${address}?last=${encodeURIComponent(last)}` : address);
    source.addEventListener("open", () => handlers.state("live"));
    source.addEventListener("error", () => {
      handlers.state("lost");
      if (source.readyState === EventSource.CLOSED) again = setTimeout(open, AGAIN_MS * (1 + Math.random()));
    });
    for (const name of ["finding", "change", "resync", "board"]) on(name, handlers[name]);
  }
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return open();
    clearTimeout(again);
    source.close();
    handlers.state("paused");
  });
  open();
}
