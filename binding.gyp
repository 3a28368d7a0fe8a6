# For prebuildify, which knows node-gyp alone: the one action hands over to CMake, which owns the sources.
{
  "targets": [
    {
      "target_name": "jcs",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/jcs.node"],
          "action": ["node", "scripts/prebuild-compile.mjs", "<(PRODUCT_DIR)"]
        }
      ]
    }
  ]
}
