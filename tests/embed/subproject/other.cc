// A source of the project that contains culvert: its language standard is the project's own.
static_assert(__cplusplus == 201703L);
int main() {}
