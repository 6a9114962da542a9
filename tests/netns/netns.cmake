# The namespace tests: each tests/netns/*_test.py, in variants of how culvert waits, receives and shares the work.
# README.md says which variant is for what.
if(NOT CULVERT_TESTS OR NOT TARGET culvert)
  return()
endif()
find_program(CULVERT_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED) # the one that has Debian's scapy

culvert_test_program(refuse_calls netns/refuse_calls.cc)
set_target_properties(refuse_calls PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/netns)

add_library(refuse_super_packets MODULE netns/refuse_super_packets.cc)
culvert_target(refuse_super_packets culvert_test_flags)
set_target_properties(refuse_super_packets PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/netns)
target_link_libraries(refuse_super_packets PRIVATE ${CMAKE_DL_LIBS})
target_link_options(refuse_super_packets PRIVATE ${culvert_no_lto})

# culvert_netns_test(name variant [ENVIRONMENT_ENTRY...])
function(culvert_netns_test name variant)
  set(test netns_${name}_${variant})
  add_test(NAME ${test} COMMAND ${CULVERT_PYTHON} ${PROJECT_SOURCE_DIR}/tests/netns/${name}_test.py)
  set_tests_properties(${test} PROPERTIES LABELS netns TIMEOUT 600 SKIP_RETURN_CODE 77
    ENVIRONMENT "CULVERT=$<TARGET_FILE:culvert>;CULVERT_TEST_REFUSE_CALLS=$<TARGET_FILE:refuse_calls>;CULVERT_TEST_REFUSE_SUPER_PACKETS=$<TARGET_FILE:refuse_super_packets>;${ARGN}")
endfunction()

file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/netns/*_test.py)
if(NOT CULVERT_BENCH)
  list(FILTER scripts EXCLUDE REGEX /bench[a-z_]*_test\\.py$)
endif()
foreach(script IN LISTS scripts)
  get_filename_component(name ${script} NAME)
  string(REGEX REPLACE "_test\\.py$" "" name ${name})
  culvert_netns_test(${name} auto)
  # The command line and the NDP proxy do not depend on how packets are moved, and bench chooses that itself.
  if(NOT name MATCHES "^(command_line|bench|bench_losses|ndp|ndp_owner|ndp_routes|ndp_wire|netlink_storm|vrf)$")
    culvert_netns_test(${name} refused CULVERT_TEST_IO=refused)
  endif()
endforeach()
foreach(name IN ITEMS culvert_to_culvert linux_kernel socat wire_bytes inbound_drops icmp_errors lifecycle
    outer_interface)
  culvert_netns_test(${name} raw CULVERT_TEST_RECEIVE=raw CULVERT_TEST_SEND=raw)
endforeach()
foreach(name IN ITEMS culvert_to_culvert linux_kernel coalesced lifecycle outer_interface)
  culvert_netns_test(${name} workers CULVERT_TEST_WORKERS=2)
endforeach()
foreach(name IN ITEMS culvert_to_culvert workers)
  culvert_netns_test(${name} epoll_raw_workers CULVERT_TEST_IO=epoll CULVERT_TEST_RECEIVE=raw CULVERT_TEST_SEND=raw
    CULVERT_TEST_WORKERS=2)
endforeach()
# The stories of a tunnel server: one and two workers, both back ends (auto and refused are with one worker).
foreach(name IN ITEMS server_broker server_lan server_uplinks server_overlay reload)
  culvert_netns_test(${name} workers CULVERT_TEST_WORKERS=2)
  culvert_netns_test(${name} epoll_workers CULVERT_TEST_IO=epoll CULVERT_TEST_WORKERS=2)
endforeach()

# It sends by the clock, and what culvert must not lose overflows a queue beside other tests: see its first lines.
if(CULVERT_BENCH)
  set_property(TEST netns_bench_losses_auto PROPERTY RUN_SERIAL ON)
  set_property(TEST netns_bench_auto PROPERTY PROCESSORS 4)  # what it measures needs some of the machine
endif()

# What takes longest begins first, so that the end does not wait for one of them: about the seconds of each, alone.
foreach(entry IN ITEMS bench=50 linux_kernel=35 send=30 culvert_to_culvert=30 workers=20 coalesced=20 pmtu=20
    inbound_drops=15 flows=15 outer_interface=12 lifecycle=10)
  string(REPLACE "=" ";" entry ${entry})
  list(GET entry 0 name)
  list(GET entry 1 cost)
  foreach(variant IN ITEMS auto refused raw workers epoll_raw_workers)
    if(TEST netns_${name}_${variant})
      set_property(TEST netns_${name}_${variant} PROPERTY COST ${cost})
    endif()
  endforeach()
endforeach()

# The ones that the sanitizer builds run too: each kind of packet, each way to stop.
set_property(TEST netns_culvert_to_culvert_auto netns_coalesced_auto netns_inbound_drops_auto netns_icmp_errors_auto
  netns_lifecycle_auto PROPERTY LABELS netns core)
