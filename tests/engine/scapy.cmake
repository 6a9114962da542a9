# engine/forward/icmp_error.cc beside scapy: see icmp_scapy_test.py.
culvert_test_program(relay_tool engine/forward/relay_tool.cc culvert_engine)
add_test(NAME engine_scapy
  COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/engine/forward/icmp_scapy_test.py $<TARGET_FILE:relay_tool>)
set_tests_properties(engine_scapy PROPERTIES LABELS "unit;oracle" SKIP_RETURN_CODE 77 TIMEOUT 300)
