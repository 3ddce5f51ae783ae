/* A plugin for QEMU (interface version 1) that counts the instructions of a program: prints "instructions N" at its
 * end. The interface is declared here, since Debian does not package its header. */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

int qemu_plugin_version = 1;

typedef uint64_t plugin_id;
struct block;
enum { kInlineAdd = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*translated)(plugin_id id, struct block* block));
size_t qemu_plugin_tb_n_insns(const struct block* block);
void qemu_plugin_register_vcpu_tb_exec_inline(struct block* block, int operation, void* counter, uint64_t value);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*at_exit)(plugin_id id, void* context), void* context);
int qemu_plugin_install(plugin_id id, const void* info, int argc, char** argv);

static uint64_t instructions;

static void translated(plugin_id id, struct block* block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(block, kInlineAdd, &instructions, qemu_plugin_tb_n_insns(block));
}

static void at_exit(plugin_id id, void* context) {
  (void)id;
  (void)context;
  fprintf(stderr, "instructions %" PRIu64 "\n", instructions);
}

int qemu_plugin_install(plugin_id id, const void* info, int argc, char** argv) {
  (void)info;
  (void)argc;
  (void)argv;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, at_exit, NULL);
  return 0;
}
