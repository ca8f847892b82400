// Loaded before the first paint: puts the remembered theme, else the system's, on <html>.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = () => {
    try {
      return localStorage.getItem("hatchery-theme");
    } catch {
      return null; // storage is switched off: follow the system
    }
  };
  const apply = () => {
    document.documentElement.dataset.bsTheme = remembered() ?? (system.matches ? "dark" : "light");
  };
  apply();
  system.addEventListener("change", apply);
})();
