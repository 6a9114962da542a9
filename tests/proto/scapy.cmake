# proto/ beside scapy and tshark: see scapy_test.py.
culvert_test_program(encapsulate_tool proto/encapsulate_tool.cc culvert_proto)
add_test(NAME proto_scapy
  COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/proto/scapy_test.py $<TARGET_FILE:encapsulate_tool>)
set_tests_properties(proto_scapy PROPERTIES LABELS "unit;oracle" SKIP_RETURN_CODE 77 TIMEOUT 300)
